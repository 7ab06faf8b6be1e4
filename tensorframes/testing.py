"""Checks that users can run on their own layers: ``assert_equivariant`` and ``assert_transports``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tensorframes.frames import Frames
from tensorframes.frames.fixed import haar
from tensorframes.reps import Representation, representation

Layer = Callable[[Tensor, Tensor, tuple[Tensor, Tensor], Frames, Frames], Tensor]


def random_orthogonal(
    count: int,
    d: int = 3,
    determinant: int | None = None,
    dtype: torch.dtype = torch.float64,
    generator: torch.Generator | None = None,
) -> Tensor:
    """``count`` orthogonal matrices (count, d, d), Haar distributed on O(d), or of one determinant (+1 or -1)."""
    q = haar(count, d, generator)
    if determinant is not None:
        flip = torch.linalg.det(q).sign() != determinant
        q[flip, :, 0] *= -1
    return q.to(dtype)


def assert_equivariant(
    function: Callable[[Tensor], Tensor],
    pos: Tensor,
    reps: Representation | str,
    unoriented: bool = False,
    tolerance: float = 1e-10,
    trials: int = 4,
    group: str = "o3",
    seed: int = 0,
) -> None:
    r"""Assert :math:`f(g x + t) = \rho(g) f(x)` for random g and translations t, in float64.

    Args:
        function: from positions (N, d) to features (rows, reps.dim): a row for each point, for each cloud, or for all,
            or a single number. It may differentiate: forces, as minus the gradient of an energy, are ``"1x1"``.
        pos: positions (N, d); cast to float64.
        reps: how the result transforms: ``"1x1"`` for normals, ``"1x0"`` for scalars.
        unoriented: compare vectors up to their sign, by n n^T.
        tolerance: largest allowed error, relative to the largest entry of f(x).
        trials: random elements tried; half of them reflections when ``group`` is ``"o3"``.
        group: ``"o3"``, or ``"so3"`` for proper rotations only; in any dimension.
        seed: of the group elements and translations.

    Raises:
        AssertionError: with the error and the determinant of the g that shows it, or that the result is zero.
        ValueError: the group is unknown, there are too few trials to see it, or the result is not such features.
    """
    if group not in ("o3", "so3"):
        raise ValueError(f'expected group "o3" or "so3", got {group!r}')
    if trials < (fewest := 2 if group == "o3" else 1):
        raise ValueError(f"expected at least {fewest} trials for group {group!r}, got {trials}")
    pos = pos.double()
    reps = representation(reps, d=pos.shape[-1])
    generator = torch.Generator().manual_seed(seed)
    before = _rows(function(pos))
    assert bool((before != 0).any()), "nothing was tested: the result is zero, which is equivariant whatever it means"
    for trial in range(trials):
        determinant = -1 if group == "o3" and trial % 2 else 1
        g = random_orthogonal(1, pos.shape[-1], determinant, generator=generator)[0]
        shift = torch.randn(pos.shape[-1], generator=generator, dtype=torch.float64) * pos.std()
        after = _rows(function(pos @ g.T + shift))
        expected = reps.transform(before, g.expand(len(before), *g.shape))
        if unoriented:
            after, expected = (v.unsqueeze(-1) * v.unsqueeze(-2) for v in (after, expected))
        error = _relative_error(after, expected)
        assert error <= tolerance, f"not equivariant: relative error {error:.2e} under a g of determinant {determinant}"


def assert_transports(
    layer: Layer,
    reps: Representation | str,
    tolerance: float = 1e-10,
    compile_modes: Sequence[bool] = (False, True),
    senders: int = 12,
    receivers: int = 7,
    degree: int = 4,
    seed: int = 0,
) -> None:
    r"""Assert that messages are transported between frames: only the senders' frames of a bipartite graph are changed.

    With :math:`R_j \to Q_j R_j` and :math:`f_j \to \rho(Q_j) f_j` the senders send the same tensors, expressed in
    other frames, and the receivers' outputs must not change. An equivariance test cannot detect a missing transition,
    because local features are invariant with it or without it; this test can.

    Args:
        layer: ``layer(x, edge_index, pos, frames_src, frames_dst) -> out``; x (S, reps.dim), edge_index (2, E) sorted
            by receiver with ``degree`` edges each, pos a pair (pos_src (S, d), pos_dst (R, d)), out one row a receiver.
        reps: the representation of x.
        tolerance: largest allowed change, relative to the largest entry of the output.
        compile_modes: eager (False) and ``torch.compile(backend="aot_eager", fullgraph=True)`` (True).
        senders, receivers, degree: sizes of the graph. seed: of positions, features and frames.

    Raises:
        AssertionError: the receivers' outputs change, or do not depend on the senders' features.
    """
    generator = torch.Generator().manual_seed(seed)
    reps = representation(reps)
    x = torch.randn(senders, reps.dim, dtype=torch.float64, generator=generator)
    pos_src = torch.randn(senders, reps.d, dtype=torch.float64, generator=generator)
    pos = (pos_src, torch.randn(receivers, reps.d, dtype=torch.float64, generator=generator))
    source = torch.stack([torch.randperm(senders, generator=generator)[:degree] for _ in range(receivers)]).flatten()
    edge_index = torch.stack([source, torch.arange(receivers).repeat_interleave(degree)])
    frames = [Frames(random_orthogonal(n, reps.d, generator=generator)) for n in (senders, receivers)]
    turn = random_orthogonal(senders, reps.d, generator=generator)
    turned = Frames(turn @ frames[0].matrices)
    for compiled in compile_modes:
        run = layer
        if compiled:
            torch.compiler.reset()  # otherwise layers checked before count towards the limit of recompilations
            run = torch.compile(layer, backend="aot_eager", fullgraph=True)
        before = _rows(run(x, edge_index, pos, frames[0], frames[1]))
        after = _rows(run(reps.transform(x, turn), edge_index, pos, turned, frames[1]))
        error = _relative_error(after, before)
        mode = "compiled" if compiled else "eager"
        assert error <= tolerance, f"{mode}: the senders' frames change the receivers, relative error {error:.2e}"
        silent = _rows(run(torch.zeros_like(x), edge_index, pos, frames[0], frames[1]))
        assert _relative_error(silent, before) > 1e-6, f"{mode}: the receivers do not depend on the senders' features"


def _rows(result: Tensor) -> Tensor:
    """The result of a function or layer, without its graph; a single number as one row."""
    if not isinstance(result, Tensor) or result.numel() == 0:
        got = f"shape {tuple(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
        raise ValueError(f"expected features (rows, dim) as the result, got {got}")
    return result.detach().reshape(1, 1) if result.dim() == 0 else result.detach()


def _relative_error(values: Tensor, expected: Tensor) -> float:
    if values.shape != expected.shape:
        raise ValueError(f"expected results of one shape, got {tuple(expected.shape)} and {tuple(values.shape)}")
    return float((values - expected).abs().max() / expected.abs().max().clamp_min(1e-300))
