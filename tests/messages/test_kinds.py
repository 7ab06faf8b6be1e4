import pytest

from tensorframes.messages import IrrepMessages, ScalarMessages, TensorMessages


@pytest.mark.parametrize("width", [5, 16, 32, 64, 100, 128])
@pytest.mark.parametrize("d", [2, 3, 4])
def test_representations_have_exactly_the_width(width: int, d: int) -> None:
    for shares in ((), (1.0,), (0.375, 0.25), (0.2, 0.2, 0.6)):
        assert TensorMessages(shares).reps(width, d).dim == width
    assert ScalarMessages().reps(width, d).is_invariant


@pytest.mark.parametrize(("messages", "width"), [(TensorMessages((0.5, 0.5)), 35), (IrrepMessages((0.5, 0.5)), 59)])
def test_shares_that_are_rounded_up_still_fit(messages: TensorMessages | IrrepMessages, width: int) -> None:
    assert messages.reps(width).dim == width


def test_shares_are_those_of_the_docstring() -> None:
    assert str(TensorMessages((0.375, 0.125)).reps(64)) == "40x0 + 8x1"
    assert str(TensorMessages((0.375, 0.25)).reps(64)) == "31x0 + 8x1 + 1x2"


def test_impossible_shares_are_refused() -> None:
    with pytest.raises(ValueError, match="expected shares"):
        TensorMessages((0.8, 0.4))


@pytest.mark.parametrize("width", [5, 16, 64, 100])
def test_irreducible_features_have_exactly_the_width(width: int) -> None:
    for shares in ((), (1.0,), (0.375, 0.25), (0.2, 0.2, 0.6)):
        assert IrrepMessages(shares).reps(width).dim == width
    assert str(IrrepMessages().reps(64)) == "25x0e + 8x1o + 3x2e"
    with pytest.raises(ValueError, match="expected d=3"):
        IrrepMessages().reps(width, d=2)


@pytest.mark.parametrize("messages", [TensorMessages(), IrrepMessages(), ScalarMessages()])
def test_a_negative_width_is_told(messages: TensorMessages | IrrepMessages | ScalarMessages) -> None:
    assert messages.reps(0).dim == 0
    for width in (-3, 16.0):
        with pytest.raises(ValueError, match=f"expected a whole number of at least 0 as width, got {width}"):
            messages.reps(width)  # type: ignore[arg-type]


@pytest.mark.parametrize("shares", [0.5, "0.5", ("a",), None])
@pytest.mark.parametrize("kind", [TensorMessages, IrrepMessages])
def test_what_is_no_shares_is_told(kind: type[TensorMessages | IrrepMessages], shares: object) -> None:
    with pytest.raises(ValueError, match=r"expected a share for each order from 1 on, such as \(0.375, 0.25\), got"):
        kind(shares)  # type: ignore[arg-type]
