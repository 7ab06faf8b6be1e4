"""The local equivariance error: the Lie derivative of an estimator and of its layers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tensorframes.frames import FrameFinder, Frames
from tensorframes.geometry import ReplayError, recording, replaying
from tensorframes.layers import Probe
from tensorframes.parallel import one_thread
from tensorframes.reps.harmonics import rotation_about

STEP = 1e-4  # radians


@dataclass(frozen=True)
class LieDerivative:
    """Root mean squares over points and over rotations about the three axes, per radian of rotation.

    ``normal``: of the normals, in radians: 0 if they are equivariant, about 1 if they do not rotate at all. ``layers``,
    by name: the error that a layer adds, relative to the size of its features, since each layer is given exactly
    equivariant inputs. Entries ``frames``: of the frame matrices.
    """

    normal: float
    layers: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain values, for JSON."""
        return asdict(self)


def lie_derivative(estimator: nn.Module, pos: Tensor, frozen: bool = False, step: float = STEP) -> LieDerivative | None:
    r"""The Lie derivative of an estimator, whole and layer by layer (Gruver et al. 2022, arXiv 2210.02984):

    .. math:: (\mathcal{L}_X f)(x) = \frac{d}{dt}\Big|_{t = 0}\, \rho_{\mathrm{out}}(e^{-tX})\, f(e^{tX} x),

    where X are the generators of rotations about the three axes, and :math:`\rho_{\mathrm{out}}` is that of vectors (up
    to sign) for normals, or the representation that a layer's ``Probe`` declares. It is computed by central differences
    in float64, with an error of the order of ``step`` squared, 1e-8.

    It covers the connected component of the group only; for reflections see ``equivariance_error``.

    Args:
        estimator: a ``NormalEstimator``, or any network from positions to a prediction with ``normal``. A copy is
            measured, in evaluation mode.
        pos: (N, 3), a cloud or a part of one.
        frozen: replay the samples and neighbours of the unrotated cloud, to measure the layers alone; otherwise they
            are selected again for the rotated cloud.
        step: t, in radians.

    Returns:
        The errors; None if ``frozen`` and the discrete choices of the rotated cloud cannot be replayed.
    """
    with one_thread(pos.device):  # layers are identified by the order of their calls
        return _measured(copy.deepcopy(estimator).double().eval(), pos.double(), frozen, step)


def _measured(network: nn.Module, pos: Tensor, frozen: bool, step: float) -> LieDerivative | None:
    pos = pos - pos.mean(0)
    reference = _Reading()
    with recording() as record, reference.of(network):
        normal = _normals(network, pos)
    whole: list[Tensor] = []
    layers: dict[str, list[Tensor]] = {}
    for g_plus, g_minus in ((rotation_about(axis, step), rotation_about(axis, -step)) for axis in range(3)):
        turned: list[Tensor] = []
        readings: list[_Reading] = []
        for g in (g_plus.to(pos), g_minus.to(pos)):
            try:
                with replaying(record) if frozen else nullcontext():
                    turned.append(_aligned(_normals(network, pos @ g.T) @ g, normal))
                readings.append(_Reading(reference, g))
                with replaying(record) if frozen else nullcontext(), readings[-1].of(network):
                    _normals(network, pos @ g.T)
            except ReplayError:
                if not frozen:
                    raise
                return None
        whole.append(_size((turned[0] - turned[1]) / (2 * step)))
        for name, value in reference.values.items():
            slope = (readings[0].values[name] - readings[1].values[name]) / (2 * step)
            layers.setdefault(name, []).append(_size(slope) / _size(value).clamp_min(1e-30))
    return LieDerivative(_rms(whole), _merged({name: _rms(values) for name, values in layers.items()}))


class _Reading:
    """The outputs of a network's probes and frame finders in one run, in world coordinates, by name and call.

    Args:
        reference: the run on the unrotated cloud, if this run is on the cloud rotated by ``g``. Outputs are then
            rotated back, and each probe replaces its features by those of the reference, rotated exactly.
        g: (3, 3) the rotation.
    """

    def __init__(self, reference: _Reading | None = None, g: Tensor | None = None) -> None:
        self.reference, self.g = reference, g
        self.values: dict[str, Tensor] = {}

    @contextmanager
    def of(self, network: nn.Module) -> Iterator[None]:
        """A context in which outputs are recorded."""
        hooks = []
        for name, module in network.named_modules():
            if isinstance(module, Probe):
                hooks.append(module.register_forward_hook(self._features(name.removeprefix("backbone."))))
            elif isinstance(module, FrameFinder):
                hooks.append(module.register_forward_hook(self._frames(name)))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _name(self, name: str) -> str:
        return f"{name}#{sum(key.startswith(name + '#') for key in self.values)}"

    def _features(self, place: str) -> Callable[..., Tensor]:
        def read(probe: Probe, inputs: tuple[Tensor, Frames], x: Tensor) -> Tensor:
            name, frames = self._name(place), inputs[1]
            world = frames.to_world(x, probe.reps)
            if self.reference is None or self.g is None:
                self.values[name] = world
                return x
            every = self.g.expand(len(x), -1, -1)
            self.values[name] = probe.reps.transform(world, every.transpose(-1, -2))
            return frames.to_local(probe.reps.transform(self.reference.values[name], every), probe.reps)

        return read

    def _frames(self, place: str) -> Callable[..., None]:
        def read(finder: nn.Module, arguments: Any, frames: Frames) -> None:
            matrices = frames.matrices if self.g is None else frames.matrices @ self.g
            self.values[self._name(place)] = matrices.flatten(1)

        return read


def _normals(network: nn.Module, pos: Tensor) -> Tensor:
    with torch.no_grad():
        return network(pos).normal


def _aligned(normal: Tensor, other: Tensor) -> Tensor:
    """Normals (N, 3), with the signs that agree with other normals (N, 3)."""
    return torch.where((normal * other).sum(-1, keepdim=True) < 0, -normal, normal)


def _size(rows: Tensor) -> Tensor:
    """Root mean square of the lengths of rows."""
    return rows.square().sum(-1).mean().sqrt()


def _rms(values: list[Tensor]) -> float:
    return float(torch.stack(values).square().mean().sqrt())


def _merged(errors: dict[str, float]) -> dict[str, float]:
    """The maximum over the calls of each layer, by the name of the layer."""
    merged: dict[str, float] = {}
    for name, error in errors.items():
        layer = name.partition("#")[0]
        merged[layer] = max(error, merged.get(layer, 0.0))
    return merged
