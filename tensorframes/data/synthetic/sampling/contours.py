"""Contour lines: points along the lines in which parallel planes cut a surface."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from tensorframes.data.synthetic.sampling.triangulation import triangulation
from tensorframes.data.synthetic.sampling.views import Sample, Surface, check_count, random_axes
from tensorframes.data.synthetic.shapes.roots import SMALLEST_GRADIENT, evaluate, value_and_gradient
from tensorframes.data.synthetic.shapes.sampling import Implicit
from tensorframes.data.transforms.ranges import RandomParameters, Range

STEPS = 6
CLOSE = 1e-5
FARTHEST = 0.1
"""Largest |f| of a zero, and largest displacement of the points of a mesh."""


@dataclass(frozen=True)
class ContourLines(RandomParameters):
    """Points at equal steps along lines of equal height, the heights at equal distances; up is a random direction.

    Args:
        ratio: distance of two heights divided by the step along the lines.
        noise: standard deviation across the line, in the plane of its height, in steps.
        turned: probability of a random orientation of the planes; otherwise they are perpendicular to the third axis.
    """

    shares = ("turned",)

    ratio: Range = (2.0, 10.0)
    noise: Range = (0.0, 0.3)
    turned: float = 0.3

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` points and their normals.

        Raises:
            ValueError: the surface is empty, or neither a mesh nor that of a field.
        """
        settings = self.draw(rng)
        axes = random_axes(rng)
        mesh = triangulation(surface, count)
        vertices = mesh.vertices @ axes.T
        corners = vertices[mesh.faces]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        # Planes at distance h cut the surface in lines of total length A / h, A its area projected sideways.
        side_on = np.linalg.norm(normal[:, :2], axis=1).sum() / 2
        apart = float(np.sqrt(side_on * settings.ratio / count))
        low, high = vertices[mesh.faces, 2].min(), vertices[mesh.faces, 2].max()
        levels = np.arange(low + apart * rng.random(), high, apart)
        pos, face = along_lines(vertices, mesh.faces, levels, apart / settings.ratio, rng)
        check_count(len(pos))
        normal = normal[face] / np.maximum(np.linalg.norm(normal[face], axis=1, keepdims=True), 1e-300)
        if isinstance(surface, Implicit):
            pos, normal = on_both(surface, pos @ axes, axes[2])
            check_count(len(pos))
            pos, normal = pos @ axes.T, normal @ axes.T
        across = normal * np.array([1, 1, 0]) / np.maximum(np.linalg.norm(normal[:, :2], axis=1, keepdims=True), 1e-9)
        pos = pos + settings.noise * apart / settings.ratio * rng.standard_normal((len(pos), 1)) * across
        turn = random_axes(rng) if rng.random() < settings.turned else np.eye(3)
        return pos @ turn.T, normal @ turn.T


def on_both(surface: Implicit, pos: np.ndarray, up: np.ndarray) -> Sample:
    """Points (N, 3) moved onto the surface perpendicularly to the unit vector `up` (3,) by Newton's method, and their
    normals, without points that do not converge (where the surface is level or ends)."""
    place, flat = torch.from_numpy(pos), torch.eye(3, dtype=torch.float64) - torch.from_numpy(np.outer(up, up))
    for _ in range(STEPS):
        value, gradient = value_and_gradient(surface.field, place)
        across = gradient @ flat
        place = place - (value / across.square().sum(1).clamp(min=1e-2))[:, None] * across
    value, gradient = value_and_gradient(surface.field, place)
    size = gradient.norm(dim=1)
    good = (value.abs() < CLOSE) & (size > SMALLEST_GRADIENT) & ((place - torch.from_numpy(pos)).norm(dim=1) < FARTHEST)
    if surface.region is not None:
        good &= evaluate(surface.region, place) < 0
    return place[good].numpy(), (gradient[good] / size[good, None]).numpy()


def along_lines(
    vertices: np.ndarray, faces: np.ndarray, levels: np.ndarray, step: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points (K, 3) at equal steps along the lines z = level on the faces (F, 3), and their faces (K,)."""
    ends, face, nodes = segments(vertices, faces, levels)
    points, on = [np.zeros((0, 3))], [np.zeros(0, dtype=np.int64)]
    for rows, backwards in chains(nodes):
        part = ends[rows]
        part[backwards] = part[backwards][:, ::-1]
        size = np.linalg.norm(part[:, 1] - part[:, 0], axis=1)
        passed = np.cumsum(size)
        at = np.arange(step * rng.random(), passed[-1], step)
        row = np.minimum(np.searchsorted(passed, at), len(rows) - 1)
        share = ((at - passed[row] + size[row]) / np.maximum(size[row], 1e-300))[:, None]
        points.append(part[row, 0] + share * (part[row, 1] - part[row, 0]))
        on.append(face[rows][row])
    return np.concatenate(points), np.concatenate(on)


def segments(vertices: np.ndarray, faces: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Segments in which levels cut the faces: their ends (S, 2, 3), faces (S,), and node numbers (S, 2), equal for
    equal ends."""
    height = vertices[faces, 2]
    first, last = np.searchsorted(levels, height.min(1)), np.searchsorted(levels, height.max(1))
    face = np.repeat(np.arange(len(faces)), last - first)
    level = np.arange(len(face)) - np.repeat(np.cumsum(last - first) - last, last - first)
    above = height[face] >= levels[level][:, None]
    # The corner that is alone on its side, and the two others.
    alone = np.where(above.sum(1) == 1, above.argmax(1), above.argmin(1))
    corner = faces[face[:, None], (alone[:, None] + np.arange(3)) % 3]
    start, stop = vertices[corner[:, :1]], vertices[corner[:, 1:]]
    share = (levels[level][:, None] - start[..., 2]) / (stop[..., 2] - start[..., 2])
    ends = start + share[..., None] * (stop - start)
    low, high = np.minimum(corner[:, :1], corner[:, 1:]), np.maximum(corner[:, :1], corner[:, 1:])
    key = np.stack([low, high, np.broadcast_to(level[:, None], low.shape)], -1).reshape(-1, 3)
    return ends, face, np.unique(key, axis=0, return_inverse=True)[1].reshape(-1, 2)


def chains(nodes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Polylines of segments with the node numbers (S, 2): their rows in order, and whether each is traversed from its
    second node to its first. Open polylines come first, each from one of its ends."""
    at: dict[int, list[int]] = {}
    for row, pair in enumerate(nodes.tolist()):
        for node in pair:
            at.setdefault(node, []).append(row)
    free = np.ones(len(nodes), dtype=bool)
    for begin in sorted(at, key=lambda node: len(at[node]) != 1):
        node, rows, backwards = begin, [], []
        while following := [row for row in at[node] if free[row]]:
            row = following[0]
            free[row] = False
            rows.append(row)
            backwards.append(bool(nodes[row, 0] != node))
            node = int(nodes[row, 0] if backwards[-1] else nodes[row, 1])
        if rows:
            yield np.array(rows), np.array(backwards)
