"""The parallel map: the same results, in order, and torch's threads as they were."""

import multiprocessing
from threading import Event, Thread, get_ident

import pytest
import torch

from tensorframes.parallel import one_thread, parallel_map, start_method

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def two_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def state(chunk: int) -> tuple[int, int, int, bool]:
    return chunk, get_ident(), torch.get_num_threads(), torch.is_inference_mode_enabled()


def test_chunks_run_in_their_own_threads_and_results_keep_their_order() -> None:
    with torch.inference_mode():
        states = parallel_map(state, range(50), CPU)
    assert [chunk for chunk, *_ in states] == list(range(50))
    assert all((ident != get_ident(), threads, inference) == (True, 1, True) for _, ident, threads, inference in states)
    assert torch.get_num_threads() == 2


def test_numbers_do_not_depend_on_who_computes_them() -> None:
    values = torch.randn(16, 64, 64)
    with torch.no_grad():
        threaded = parallel_map(lambda chunk: (chunk @ chunk).softmax(-1), list(values), CPU)
    expected = torch.stack([(chunk @ chunk).softmax(-1) for chunk in values])
    assert torch.allclose(torch.stack(threaded), expected, atol=1e-6)


def test_gradients_and_lower_precision_stay_in_one_thread() -> None:
    assert {ident for _, ident, *_ in parallel_map(state, range(4), CPU)} == {get_ident()}
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert {ident for _, ident, *_ in parallel_map(state, range(4), CPU)} == {get_ident()}


def test_an_error_in_a_chunk_arrives_and_leaves_the_threads_as_they_were() -> None:
    def work(chunk: int) -> int:
        if chunk == 3:
            raise ValueError("chunk 3")
        return chunk

    with torch.no_grad(), pytest.raises(ValueError, match="chunk 3"):
        parallel_map(work, range(8), CPU)
    assert torch.get_num_threads() == 2


def test_a_chunk_has_its_share_of_the_threads_for_a_nested_map() -> None:
    torch.set_num_threads(4)

    def outer(chunk: int) -> tuple[int, int, list[tuple[int, int, int, bool]]]:
        within = parallel_map(state, range(8), CPU)
        return get_ident(), torch.get_num_threads(), within

    with torch.no_grad():
        states = parallel_map(outer, range(2), CPU)
    assert torch.get_num_threads() == 4
    for ident, threads, within in states:
        assert threads == 2
        assert [chunk for chunk, *_ in within] == list(range(8))
        assert all(other != ident and own == 1 for _, other, own, _ in within)


def test_a_chunk_keeps_its_threads_while_others_set_theirs() -> None:
    def work(chunk: int) -> int:
        other = Thread(target=torch.set_num_threads, args=(3,))
        other.start()
        other.join()
        return torch.get_num_threads()

    with torch.no_grad():
        assert parallel_map(work, range(2), CPU) == [1, 1]


def test_one_thread_for_many_small_operations_and_then_as_before() -> None:
    with one_thread(CPU):
        assert torch.get_num_threads() == 1
        with torch.no_grad():
            assert {ident for _, ident, *_ in parallel_map(state, range(4), CPU)} == {get_ident()}
    assert torch.get_num_threads() == 2
    with pytest.raises(ValueError, match="within"), one_thread(CPU):
        raise ValueError("within")
    assert torch.get_num_threads() == 2
    with one_thread(torch.device("meta")):
        assert torch.get_num_threads() == 2


def test_a_second_caller_at_the_same_time_works_alone() -> None:
    begun, finish, results = Event(), Event(), []

    def wait(chunk: int) -> int:
        begun.set()
        finish.wait(10)
        return chunk

    def first() -> None:
        with torch.no_grad():
            results.extend(parallel_map(wait, range(2), CPU))

    other = Thread(target=first)
    other.start()
    assert begun.wait(10)
    with torch.no_grad():
        assert {ident for _, ident, *_ in parallel_map(state, range(4), CPU)} == {get_ident()}
    finish.set()
    other.join(10)
    assert results == [0, 1]


def test_processes_can_be_started_where_the_usual_way_is_not_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (start_method(0), start_method(2)) == (None, multiprocessing.get_start_method())
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda: "loky")  # in jobs of joblib
    assert start_method(2) in multiprocessing.get_all_start_methods()
