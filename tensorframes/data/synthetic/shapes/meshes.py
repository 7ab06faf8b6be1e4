"""Triangle meshes: their points carry the normals of their faces, as those of scanned and modelled meshes do."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from tensorframes.data.synthetic.shapes.fields import Field
from tensorframes.data.synthetic.shapes.roots import evaluate, value_and_gradient
from tensorframes.data.synthetic.shapes.sampling import HALF
from tensorframes.data.synthetic.shapes.triangles import TriangleGrid
from tensorframes.errors import needed_for

NEWTON_STEPS = 4


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles, counter-clockwise when viewed from outside.

    Args:
        vertices: (V, 3) float64.
        faces: (F, 3) rows of vertices.
    """

    vertices: np.ndarray
    faces: np.ndarray

    def sample(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """`count` points (count, 3) uniform by area and the unit normals (count, 3) of their faces."""
        a, b, c = self.vertices[self.faces].transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        size = np.linalg.norm(normal, axis=1)
        fine = np.flatnonzero(size > 1e-12 * size.max())
        face = fine[np.searchsorted(np.cumsum(size[fine]), rng.random(count) * size[fine].sum(), side="right")]
        u, v = rng.random((2, count, 1))
        outside = u + v > 1
        u, v = np.where(outside, 1 - u, u), np.where(outside, 1 - v, v)
        return a[face] + u * (b - a)[face] + v * (c - a)[face], normal[face] / size[face, None]

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances (M,) float64 at which rays from (M, 3) along unit (M, 3) first meet a face, inf where they do not,
        and the face's unit normals (M, 3)."""
        distance, face = self._grid.cast(origin, direction)
        a, b, c = self.vertices[self.faces[face]].transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        size = np.linalg.norm(normal, axis=1, keepdims=True)
        return distance, np.where(face[:, None] < 0, 0.0, normal / np.maximum(size, 1e-300))

    @cached_property
    def _grid(self) -> TriangleGrid:
        return TriangleGrid.of(self.vertices[self.faces])


def cubes(field: Field, resolution: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Marching cubes on a grid of ``resolution`` (3,) points along the axes, rounded: vertices (V, 3) float64 and faces
    (F, 3), none if the field does not change its sign."""
    with needed_for("generated shapes"):
        from skimage.measure import marching_cubes

    size = np.maximum(np.round(resolution), 2).astype(int)
    axes = [torch.linspace(-HALF, HALF, int(count), dtype=torch.float32) for count in size]
    values = evaluate(field, torch.cartesian_prod(*axes)).reshape(*size).numpy()
    if not values.min() < 0 < values.max():
        return np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64)
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=tuple(2 * HALF / (size - 1)))
    return vertices.astype(np.float64) - HALF, faces.astype(np.int64)


def projected(field: Field, pos: Tensor) -> Tensor:
    """Points (N, 3) moved onto the zeros of the field by Newton's steps along the gradient."""
    for _ in range(NEWTON_STEPS):
        value, gradient = value_and_gradient(field, pos)
        pos = pos - (value / gradient.square().sum(1).clamp(min=1e-2))[:, None] * gradient
    return pos


def polygonised(field: Field, resolution: int) -> Mesh:
    """Marching cubes on resolution^3 points, the vertices moved onto the zeros of the field.

    Raises:
        ValueError: the surface is empty.
    """
    vertices, faces = cubes(field, np.full(3, resolution))
    if len(faces) == 0:
        raise ValueError("expected a field that changes its sign, got one that does not")
    pos = projected(field, torch.from_numpy(vertices)).numpy()
    return Mesh(pos, outward(faces, pos, field))


def outward(faces: np.ndarray, vertices: np.ndarray, field: Field) -> np.ndarray:
    """The faces, all turned over if most of their normals point down the field's gradient."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    _, gradient = value_and_gradient(field, torch.from_numpy((a + b + c) / 3))
    up = (np.cross(b - a, c - a) * gradient.numpy()).sum()
    return faces if up > 0 else faces[:, ::-1]


def coarsened(mesh: Mesh, count: int, evenness: int, rng: np.random.Generator) -> Mesh:
    """About `count` vertices: each vertex joins the nearest of `count` seeds, by place and a little by normal, and a
    face whose three vertices join three seeds becomes a face of these.

    Args:
        mesh: a fine mesh.
        count: seeds, random vertices of the mesh.
        evenness: how often seeds move to the vertex nearest to the middle of their cluster (Lloyd's steps); 0 leaves
            triangles of all sizes.
        rng: draws the seeds.

    Source: the dual of a clustering, after Valette and Chassery, *Approximated Centroidal Voronoi Diagrams* (2004).
    """
    from scipy.spatial import cKDTree

    place = np.concatenate([mesh.vertices, 0.1 * vertex_normals(mesh)], axis=1)
    seeds = place[rng.choice(len(place), min(count, len(place)), replace=False)]
    cluster = cKDTree(seeds).query(place)[1]
    for _ in range(evenness):
        members = np.maximum(np.bincount(cluster, minlength=len(seeds)), 1)[:, None]
        middle = np.stack([np.bincount(cluster, column, len(seeds)) for column in place.T], 1) / members
        seeds = place[cKDTree(place).query(middle)[1]]
        cluster = cKDTree(seeds).query(place)[1]
    faces = joined(cluster[mesh.faces])
    a, b, c = seeds[faces].transpose(1, 0, 2)
    # A few slivers are folded over. They are removed: a hole of their size is harmless, an inward normal is not.
    up = (np.cross(b[:, :3] - a[:, :3], c[:, :3] - a[:, :3]) * (a + b + c)[:, 3:]).sum(1) > 0
    return Mesh(seeds[:, :3], faces[up])


def joined(faces: np.ndarray) -> np.ndarray:
    """The distinct non-degenerate faces of (F, 3), with the orientation of most of their copies.

    Equally many copies of both orientations are removed: the surface is folded there.
    """
    distinct = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    faces = faces[distinct]
    # The smallest vertex first, its neighbours in order of rotation: equal faces are equal rows, turned ones swap the
    # last two.
    first = np.argmin(faces, axis=1)[:, None]
    faces = np.take_along_axis(faces, (first + np.arange(3)) % 3, 1)
    ascending, which = np.unique(np.sort(faces, axis=1), axis=0, return_inverse=True)
    turns = np.bincount(which.ravel(), np.where(faces[:, 1] < faces[:, 2], 1, -1), len(ascending))
    return np.where((turns > 0)[:, None], ascending, ascending[:, [0, 2, 1]])[turns != 0]


def vertex_normals(mesh: Mesh) -> np.ndarray:
    """(V, 3) unit normals, the mean over the faces by area."""
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    face = np.cross(b - a, c - a)
    total = np.zeros_like(mesh.vertices)
    for corner in range(3):
        np.add.at(total, mesh.faces[:, corner], face)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)


def roughened(mesh: Mesh, size: float, rng: np.random.Generator) -> Mesh:
    """Vertices moved at random, by `size` of the mean edge: the noise that a scan left in a mesh."""
    a, b, _ = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    edge = np.linalg.norm(b - a, axis=1).mean()
    return Mesh(mesh.vertices + size * edge * rng.standard_normal(mesh.vertices.shape), mesh.faces)


def swept(path: np.ndarray, sections: np.ndarray, closed: bool) -> Mesh:
    """A tube of flat facets along a path.

    Args:
        path: (L, 3) points.
        sections: (L, M, 2) corners of the section at each of them, counter-clockwise.
        closed: the last section joins the first; otherwise both ends are capped (the sections are star-shaped about the
            path).
    """
    tangent = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    side, up = carried_axes(tangent / np.linalg.norm(tangent, axis=1, keepdims=True))
    rings = path[:, None] + sections[..., :1] * side[:, None] + sections[..., 1:] * up[:, None]
    count, corners = sections.shape[:2]
    last = count if closed else count - 1
    ring, corner = (part.ravel() for part in np.meshgrid(np.arange(last), np.arange(corners), indexing="ij"))
    here, there = ring * corners, (ring + 1) % count * corners
    after = (corner + 1) % corners
    quads = np.stack([here + corner, here + after, there + after, there + corner], 1)
    faces = [quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]
    if not closed:
        around = np.arange(corners)
        first, end = np.full(corners, count * corners), np.full(corners, count * corners + 1)
        faces.append(np.stack([first, (around + 1) % corners, around], 1))
        faces.append(np.stack([end, around + last * corners, (around + 1) % corners + last * corners], 1))
    return Mesh(np.concatenate([rings.reshape(-1, 3), path[[0, -1]]]), np.concatenate(faces))


def carried_axes(tangent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors (L, 3) across each unit tangent (L, 3), carried along with as little turning as possible; side x
    up is the tangent."""
    side = np.empty_like(tangent)
    previous = np.eye(3)[np.abs(tangent[0]).argmin()]
    for row, along in enumerate(tangent):
        previous = previous - along * (previous @ along)
        previous = previous / np.linalg.norm(previous)
        side[row] = previous
    return side, np.cross(tangent, side)
