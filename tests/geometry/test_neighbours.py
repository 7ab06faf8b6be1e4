"""Neighbours against a sort of all distances, on clouds where searches go wrong."""

import signal
import time
from _thread import interrupt_main

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from tensorframes.errors import signals_raise
from tensorframes.geometry import knn, knn_graph, radius_graph
from tensorframes.geometry.brute import brute_knn
from tensorframes.geometry.kdtree import nearest_in

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")],
    ),
]
METHODS = ["kdtree", "cells", "brute"]


def awkward_clouds(points: int, dim: int) -> dict[str, Tensor]:
    """Name -> (points, dim) float64."""
    generator = torch.Generator().manual_seed(0)
    cloud = torch.randn(points, dim, generator=generator, dtype=torch.float64)
    flat, crowded = cloud.clone(), cloud.clone()
    flat[:, -1] = 0.5
    crowded[: points // 2] *= 1e-9
    crowded[-1] *= 1e9
    return {
        "random": cloud,
        "lattice": (2 * cloud).round(),
        "copies": cloud[torch.randint(points // 3 + 1, (points,), generator=generator)],
        "flat": flat,
        "line": cloud[:, :1] * torch.arange(1.0, dim + 1),
        "equal": cloud[:1].repeat(points, 1),
        "far away": cloud + 1e6,
        "far away in float32": (cloud + 1e4).float(),
        "crowded with an outlier": crowded,
    }


def by_definition(support: Tensor, k: int, query: Tensor | None, batch: Tensor, query_batch: Tensor) -> Tensor:
    """knn as its docstring puts it, one query at a time."""
    lines = []
    for row, asked in enumerate((support if query is None else query).double()):
        square = sum((asked[axis] - support[:, axis].double()).square() for axis in range(support.shape[1]))
        if query is None:
            square[row] = -1.0
        inside = (batch == query_batch[row]).nonzero().squeeze(1)
        line = inside[torch.sort(square[inside], stable=True).indices][:k]
        lines.append(torch.cat([line, line[:1].expand(k - len(line))]))
    return torch.stack(lines)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_knn_is_a_sort_of_all_distances(dim: int, method: str, device: str) -> None:
    for name, cloud in awkward_clouds(90, dim).items():
        batch = torch.zeros(90, dtype=torch.long)
        for k in (1, 8, 100):
            rows = knn(cloud.to(device), k, method=method).cpu()
            assert torch.equal(rows, by_definition(cloud, k, None, batch, batch)), (name, k)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dim", [2, 3, 5])
def test_knn_of_other_points_in_several_clouds(dim: int, method: str, device: str) -> None:
    generator = torch.Generator().manual_seed(1)
    for name, cloud in awkward_clouds(90, dim).items():
        batch = torch.tensor([0, 3, 4]).repeat_interleave(torch.tensor([50, 5, 35]))  # clouds 1 and 2 are empty
        query = torch.cat([cloud[::4], 3 * torch.randn(20, dim, generator=generator).to(cloud)])
        query_batch = torch.tensor([0, 3, 4])[torch.arange(len(query)) * 3 // len(query)]
        arguments = [tensor.to(device) for tensor in (query, batch, query_batch)]
        rows = knn(cloud.to(device), 8, *arguments, method=method).cpu()
        assert torch.equal(rows, by_definition(cloud, 8, query, batch, query_batch)), name


@pytest.mark.parametrize("method", METHODS)
def test_a_point_is_its_own_first_neighbour_among_many_copies(method: str) -> None:
    cloud = torch.zeros(12, 3)
    cloud[6:] = 1.0
    rows = knn(cloud, 3, method=method)
    assert rows[5].tolist() == [5, 0, 1]
    assert rows[7].tolist() == [7, 6, 8]


@pytest.mark.parametrize("method", METHODS)
def test_equal_distances_are_ordered_by_row_also_at_the_end(method: str) -> None:
    circle = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    assert knn(circle, 3, method=method)[0].tolist() == [0, 1, 2]
    assert knn(circle.flip(0), 4, method=method)[5].tolist() == [5, 0, 1, 2]


@pytest.mark.parametrize("method", METHODS)
def test_empty_query_and_empty_cloud(method: str) -> None:
    assert knn(torch.randn(5, 3), 4, torch.empty(0, 3), method=method).shape == (0, 4)
    assert knn(torch.empty(0, 3), 4, method=method).shape == (0, 4)
    assert knn_graph(torch.empty(0, 3), 4, method=method).shape == (2, 0)
    assert radius_graph(torch.empty(0, 3), 1.0, method=method).shape == (2, 0)


def test_float64_tells_neighbours_apart_far_from_the_origin_and_float32_cannot() -> None:
    near = 1e-3 * torch.randn(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    expected = knn(near, 8)
    assert (knn(near + 1e6, 8) == expected).float().mean() > 0.999
    assert (knn((near + 1e6).float(), 8) == expected).float().mean() < 0.5


def test_many_dimensions_are_searched_too() -> None:
    cloud = torch.randn(70, 40, generator=torch.Generator().manual_seed(3))
    batch = torch.zeros(70, dtype=torch.long)
    assert torch.equal(knn(cloud, 6), by_definition(cloud, 6, None, batch, batch))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dim", [2, 3, 5])
def test_radius_graph_is_all_pairs_within_the_radius(dim: int, method: str) -> None:
    for name, cloud in awkward_clouds(80, dim).items():
        batch = torch.tensor([0, 2]).repeat_interleave(40)
        radius = torch.tensor([0.7, 5.0, 1.5], dtype=torch.float64)
        points = cloud.double()
        square = sum((points[:, None, axis] - points[:, axis]).square() for axis in range(dim))
        near = (square <= radius[batch].square()[:, None]) & (batch[:, None] == batch)
        near.fill_diagonal_(False)
        assert torch.equal(radius_graph(cloud, radius, batch, method=method), near.nonzero().T.flip(0)), name


def test_knn_graph_sends_from_neighbours_and_has_no_loops() -> None:
    cloud = torch.tensor([[0.0], [1.0], [3.0], [10.0], [11.0]])
    batch = torch.tensor([0, 0, 0, 1, 1])
    assert knn_graph(cloud, 2, batch).tolist() == [[1, 2, 0, 2, 1, 0, 4, 3], [0, 0, 1, 1, 2, 2, 3, 4]]


def test_a_hundred_thousand_equal_points_stay_linear() -> None:
    begin = time.perf_counter()
    rows = knn(torch.ones(100_000, 3), 16)
    assert time.perf_counter() - begin < 20.0  # seconds; a kd-tree of the copies themselves takes minutes
    assert torch.equal(rows[:, 0], torch.arange(100_000))
    assert rows[-1, 1:].tolist() == list(range(15))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"support": torch.zeros(3), "k": 1}, r"expected support of shape \(N, d\), got \(3,\)"),
        ({"support": np.zeros((3, 3)), "k": 1}, r"expected support, a tensor of shape \(N, d\), got ndarray"),
        ({"support": torch.zeros(3, 3, dtype=torch.long), "k": 1}, "expected floating point support"),
        ({"support": torch.full((3, 3), torch.nan), "k": 1}, "expected finite support"),
        ({"support": torch.zeros(3, 3), "k": 0}, "expected a whole number k >= 1, got 0"),
        ({"support": torch.zeros(3, 3), "k": 2.0}, "expected a whole number k >= 1, got 2.0"),
        ({"support": torch.zeros(3, 3), "k": 1, "batch": torch.tensor([0, 1, 0])}, "expected batch sorted ascending"),
        ({"support": torch.zeros(3, 3), "k": 1, "batch": torch.zeros(2, dtype=torch.long)}, r"batch of shape \(3,\)"),
        ({"support": torch.zeros(3, 3), "k": 1, "batch": torch.zeros(3)}, "expected an integer batch"),
        ({"support": torch.zeros(3, 3), "k": 1, "query": torch.zeros(2, 2)}, r"expected query of shape \(M, 3\)"),
        ({"support": torch.zeros(3, 3), "k": 1, "query_batch": torch.zeros(3).long()}, "query_batch together with"),
        (
            {"support": torch.zeros(3, 3), "k": 1, "query": torch.zeros(1, 3), "query_batch": torch.tensor([1])},
            "got none in cloud 1",
        ),
        ({"support": torch.zeros(3, 3), "k": 1, "method": "tree"}, "expected method auto, kdtree, cells or brute"),
        ({"support": torch.zeros(3, 7), "k": 1, "method": "cells"}, "expected at most 6 dimensions"),
        ({"support": 1e200 * torch.eye(3).double(), "k": 1}, r"expected support of at most 1e\+150, got 1e\+200"),
    ],
)
def test_mistakes_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        knn(**arguments)


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan"), torch.ones(1, 1), torch.ones(2)])
def test_a_wrong_radius_is_named(radius: float | Tensor) -> None:
    with pytest.raises(ValueError, match="expected"):
        radius_graph(torch.randn(6, 3), radius, torch.tensor([0, 0, 1, 1, 2, 2]))


@pytest.mark.parametrize("kind", ["random", "far", "lattice", "repeated"])
def test_in_many_dimensions_candidates_of_a_product_give_the_exact_neighbours(kind: str) -> None:
    generator = torch.Generator().manual_seed(4)
    points = torch.randn(300, 20, generator=generator, dtype=torch.float64)
    if kind == "far":
        points = points * 1e-6 + 1e3
    if kind == "lattice":  # many equal distances
        points = (points > 0).double()
        points[:, 6:] = 0
    if kind == "repeated":
        points = points[torch.arange(300) % 100]
    batch = torch.zeros(300, dtype=torch.long)
    found = brute_knn(points, batch, points, batch, 9)
    square = (points[:, None] - points).square().sum(-1)
    expected = torch.sort(square, dim=1, stable=True).indices[:, :9]
    assert torch.equal(square.gather(1, found), square.gather(1, expected))
    if kind != "far":
        assert torch.equal(found, expected)


@pytest.mark.parametrize("count", [1, 2, 700])
def test_neighbours_in_a_tree_are_those_of_scipy(count: int) -> None:
    points = np.random.default_rng(0).normal(size=(500, 3))
    tree, query = cKDTree(points), np.random.default_rng(1).normal(size=(count, 3))
    for ranks, within in ((range(1, 4), np.inf), ([9], 0.3)):
        for found, expected in zip(
            nearest_in(tree, query, ranks, within),
            tree.query(query, list(ranks), distance_upper_bound=within),
            strict=True,
        ):
            np.testing.assert_array_equal(found, expected)


def test_searches_in_compiled_functions_are_the_same() -> None:
    torch.compiler.reset()
    compiled = torch.compile(lambda pos: knn(2 * pos, 6), backend="eager")
    for points in (40, 70, 7):  # other sizes are compiled as variables
        pos = awkward_clouds(points, 3)["lattice"]  # asked again, with more neighbours, where distances are equal
        assert torch.equal(compiled(pos), knn(2 * pos, 6))


def test_no_thread_reads_the_tree_after_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    ended = []

    class Slow:
        """A tree whose search is interrupted."""

        def query(self, query: np.ndarray, **_: object) -> tuple[np.ndarray, np.ndarray]:
            time.sleep(0.2)  # until the caller waits
            if query[0] == 0:  # the first part's thread alone: a second interrupt ends the wait
                interrupt_main()
            time.sleep(0.2)
            ended.append(len(query))
            return query, query

    with signals_raise([signal.SIGINT]), pytest.raises(KeyboardInterrupt):  # a script's background ignores it
        nearest_in(Slow(), np.arange(10.0), [1])
    assert ended == [5, 5]


def test_a_number_of_numpy_is_a_count() -> None:
    cloud = torch.rand(9, 3)
    assert torch.equal(knn(cloud, np.int64(3)), knn(cloud, 3))
