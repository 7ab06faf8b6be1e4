"""The local error of equivariance: how an estimator's answer departs from turning along, at the first order."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tensorframes.frames import Frames
from tensorframes.geometry import ReplayError, recording, replaying
from tensorframes.layers import Probe
from tensorframes.parallel import one_thread
from tensorframes.reps.harmonics import rotation_about

STEP = 1e-4  # radians


@dataclass(frozen=True)
class LieDerivative:
    """Root mean squares over points and over rotations about the three axes, per radian of rotation.

    ``normal``: of the normals, in radians: 0 turns along, about 1 stays where it is. ``layers``, by name: of what a
    layer adds, relative to the size of its features; each layer is given inputs that have turned along exactly.
    ``frames``, as a part of them: of the matrices.
    """

    normal: float
    layers: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """What JSON holds of it."""
        return asdict(self)


def lie_derivative(estimator: nn.Module, pos: Tensor, frozen: bool = False, step: float = STEP) -> LieDerivative | None:
    r"""The Lie derivative of an estimator, whole and layer by layer (Gruver et al. 2022, arXiv 2210.02984):

    .. math:: (\mathcal{L}_X f)(x) = \frac{d}{dt}\Big|_{t = 0}\, \rho_{\mathrm{out}}(e^{-tX})\, f(e^{tX} x),

    X the generators of rotations about the three axes, :math:`\rho` that of vectors (up to sign) for the normals, for
    a layer's features what its ``Probe`` declares. By central differences in float64, so that any network can be
    measured; the error is of the order of ``step`` squared, 1e-8.

    It sees the connected component of the group only: reflections take the finite test, ``equivariance_error``.

    Args:
        estimator: a ``NormalEstimator``, trained or not, or any network from positions to an answer with ``normal``; a
            copy is measured, in evaluation mode.
        pos: (N, 3), a cloud or a piece of one.
        frozen: keep the samples and neighbours of the cloud as it is, and measure the layers alone; otherwise they are
            chosen anew for the turned cloud.
        step: t, in radians.

    Returns:
        The errors; None if ``frozen`` and the turned cloud takes other ways (a fallback where there was none).
    """
    with one_thread(pos.device):  # one pass after the other: layers are told apart by the order of their calls
        return _measured(copy.deepcopy(estimator).double().eval(), pos.double(), frozen, step)


def _measured(network: nn.Module, pos: Tensor, frozen: bool, step: float) -> LieDerivative | None:
    pos = pos - pos.mean(0)
    still = _Reading()
    with recording() as record, still.of(network):
        normal = _normals(network, pos)
    whole: list[Tensor] = []
    layers: dict[str, list[Tensor]] = {}
    for g_plus, g_minus in ((rotation_about(axis, step), rotation_about(axis, -step)) for axis in range(3)):
        turned: list[Tensor] = []
        readings: list[_Reading] = []
        for g in (g_plus.to(pos), g_minus.to(pos)):
            try:
                with replaying(record) if frozen else nullcontext():
                    turned.append(_toward(_normals(network, pos @ g.T) @ g, normal))
                readings.append(_Reading(still, g))
                with replaying(record) if frozen else nullcontext(), readings[-1].of(network):
                    _normals(network, pos @ g.T)
            except ReplayError:
                if not frozen:
                    raise
                return None
        whole.append(_size((turned[0] - turned[1]) / (2 * step)))
        for name, before in still.found.items():
            slope = (readings[0].found[name] - readings[1].found[name]) / (2 * step)
            layers.setdefault(name, []).append(_size(slope) / _size(before).clamp_min(1e-30))
    return LieDerivative(_rms(whole), _merged({name: _rms(values) for name, values in layers.items()}))


class _Reading:
    """What a network's probes and frame finders say in one run, told in the world, by name and call.

    With a run before it, of the cloud that is now turned by g: what they say is turned back, and the network goes on
    with the features of that run, turned along exactly.
    """

    def __init__(self, before: _Reading | None = None, g: Tensor | None = None) -> None:
        self.before, self.g = before, g
        self.found: dict[str, Tensor] = {}

    @contextmanager
    def of(self, network: nn.Module) -> Iterator[None]:
        """Read while it lasts."""
        hooks = []
        for name, module in network.named_modules():
            if isinstance(module, Probe):
                hooks.append(module.register_forward_hook(self._features(name.removeprefix("backbone."))))
        finders = getattr(network, "frames", None)
        for level, finder in enumerate(finders if isinstance(finders, nn.ModuleList) else ()):
            hooks.append(finder.register_forward_hook(self._frames(f"frames.{level}")))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _name(self, name: str) -> str:
        return f"{name}#{sum(known.startswith(name + '#') for known in self.found)}"

    def _features(self, place: str) -> Callable[..., Tensor]:
        def read(probe: Probe, told: tuple[Tensor, Frames], x: Tensor) -> Tensor:
            name, frames = self._name(place), told[1]
            world = frames.to_world(x, probe.reps)
            if self.before is None or self.g is None:
                self.found[name] = world
                return x
            every = self.g.expand(len(x), -1, -1)
            self.found[name] = probe.reps.transform(world, every.transpose(-1, -2))
            return frames.to_local(probe.reps.transform(self.before.found[name], every), probe.reps)

        return read

    def _frames(self, place: str) -> Callable[..., None]:
        def read(finder: nn.Module, arguments: Any, frames: Frames) -> None:
            matrices = frames.matrices if self.g is None else frames.matrices @ self.g
            self.found[self._name(place)] = matrices.flatten(1)

        return read


def _normals(network: nn.Module, pos: Tensor) -> Tensor:
    with torch.no_grad():
        return network(pos).normal


def _toward(normal: Tensor, other: Tensor) -> Tensor:
    """Normals (N, 3) with the signs that agree with others."""
    return torch.where((normal * other).sum(-1, keepdim=True) < 0, -normal, normal)


def _size(rows: Tensor) -> Tensor:
    """Root mean square of the lengths of rows."""
    return rows.square().sum(-1).mean().sqrt()


def _rms(values: list[Tensor]) -> float:
    return float(torch.stack(values).square().mean().sqrt())


def _merged(errors: dict[str, float]) -> dict[str, float]:
    """The largest of a layer's calls, under its name."""
    merged: dict[str, float] = {}
    for name, error in errors.items():
        layer = name.partition("#")[0]
        merged[layer] = max(error, merged.get(layer, 0.0))
    return merged
