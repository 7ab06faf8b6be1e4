"""First intersections of rays with triangles, by a grid of cubes that lists the triangles in each of them.

A ray advances from cube to cube, over empty ones in one step, and is tested against the triangles of each (Moller and
Trumbore, *Fast, minimum storage ray/triangle intersection*, 1997).
"""

from dataclasses import dataclass

import numpy as np

from tensorframes.data.synthetic.shapes.rays import FreeSpace

MOST_CUBES = 96
"""Number of cubes along the longest side of the grid."""

MARGIN = 1e-9
"""Tolerance in units of the triangle: hits this far outside it count, so that no ray passes between two triangles."""


@dataclass(frozen=True, eq=False)
class TriangleGrid:
    """Triangles by cube.

    Args:
        corner: (F, 3) first corners.
        edges: (F, 2, 3) from it to the second and the third.
        space: the grid.
        first: (cubes + 1,) where the triangles of each cube begin in `listed`.
        listed: (K,) triangles.
    """

    corner: np.ndarray
    edges: np.ndarray
    space: FreeSpace
    first: np.ndarray
    listed: np.ndarray

    @classmethod
    def of(cls, triangles: np.ndarray) -> "TriangleGrid":
        """The grid of (F, 3, 3) corners."""
        low, high = triangles.min((0, 1)), triangles.max((0, 1))
        side = (high - low).max() * 1.001 / np.clip(round(0.7 * len(triangles) ** 0.5), 4, MOST_CUBES)
        shape = np.maximum(np.ceil((high - low) / side + 1e-3), 1).astype(np.int64) + 2
        low = low - side
        triangle, cube = crossed_cubes(triangles, low, side)
        flat = np.ravel_multi_index(tuple(cube.T), tuple(shape))
        order = np.argsort(flat, kind="stable")
        count = np.bincount(flat, minlength=int(shape.prod()))
        space = FreeSpace.around(low, side, (count > 0).reshape(shape))
        first = np.concatenate([[0], np.cumsum(count)])
        return cls(triangles[:, 0], triangles[:, 1:] - triangles[:, :1], space, first, triangle[order])

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances (M,) float64 of the first hits of rays, inf where there are none, and the triangles hit (M,), -1
        for none."""
        distance, hit = np.full(len(origin), np.inf), np.full(len(origin), -1)
        start, end = self.space.crossed(origin, direction)
        rows = np.flatnonzero(start < end)
        t, end = start[rows], end[rows]
        while len(rows):
            cells = self.space.cells(origin[rows] + direction[rows] * t[:, None])
            step = self.space.bound[tuple(cells.T)]
            low = self.space.low + cells * self.space.side
            leave = slab_exit(origin[rows], direction[rows], low, self.space.side)
            full = np.flatnonzero(step == 0)
            near, which = self._test(origin, direction, rows[full], cells[full])
            better = near < distance[rows[full]]
            distance[rows[full[better]]], hit[rows[full[better]]] = near[better], which[better]
            # The next cube is entered a little beyond the wall, so that rounding never leaves a ray where it is.
            t = np.maximum(t + step, np.maximum(leave, t) + 1e-6 * self.space.side)
            go = (t < end) & (distance[rows] > leave)
            rows, t, end = rows[go], t[go], end[go]
        return distance, hit

    def _test(
        self, origin: np.ndarray, direction: np.ndarray, rows: np.ndarray, cells: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of rays `rows` (M,) with the triangles of their cubes (M, 3): distances (M,) and triangles (M,)."""
        flat = np.ravel_multi_index(tuple(cells.T), self.space.bound.shape)
        count = self.first[flat + 1] - self.first[flat]
        pair = np.repeat(np.arange(len(rows)), count)
        within = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
        triangle = self.listed[self.first[flat][pair] + within]
        ray = rows[pair]
        t = crossing(origin[ray], direction[ray], self.corner[triangle], self.edges[triangle])
        # Sorted by ray, then by distance: the first of each ray is the nearest.
        order = np.lexsort((t, pair))
        begins = (np.cumsum(count) - count)[count > 0]
        near, which = np.full(len(rows), np.inf), np.full(len(rows), -1)
        near[count > 0], which[count > 0] = t[order[begins]], triangle[order[begins]]
        return near, which


def slab_exit(origin: np.ndarray, direction: np.ndarray, low: np.ndarray, side: float) -> np.ndarray:
    """Distances (M,) at which rays leave cubes with the smallest corners (M, 3)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        wall = (np.where(direction > 0, low + side, low) - origin) / direction
    return np.where(direction == 0, np.inf, wall).min(1)


def crossing(origin: np.ndarray, direction: np.ndarray, corner: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Distances (K,) at which K rays meet K triangles, inf where they pass them by or run along them."""
    first, second = edges[:, 0], edges[:, 1]
    across = np.cross(direction, second)
    volume = np.einsum("kd,kd->k", first, across)
    with np.errstate(divide="ignore", invalid="ignore"):
        away = origin - corner
        u = np.einsum("kd,kd->k", away, across) / volume
        turned = np.cross(away, first)
        v = np.einsum("kd,kd->k", direction, turned) / volume
        t = np.einsum("kd,kd->k", second, turned) / volume
        inside = (u >= -MARGIN) & (v >= -MARGIN) & (u + v <= 1 + MARGIN) & (t > 0)
    return np.where(inside, t, np.inf)


def crossed_cubes(triangles: np.ndarray, low: np.ndarray, side: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of triangles (K,) and cubes (K, 3): those of a triangle's bounding box that its plane crosses."""
    least = np.floor((triangles.min(1) - low) / side - 1e-6).astype(np.int64)
    span = np.floor((triangles.max(1) - low) / side + 1e-6).astype(np.int64) - least + 1
    count = span.prod(1)
    triangle = np.repeat(np.arange(len(triangles)), count)
    within = np.arange(len(triangle)) - np.repeat(np.cumsum(count) - count, count)
    span = span[triangle]
    cube = np.stack([within // (span[:, 1] * span[:, 2]), within // span[:, 2] % span[:, 1], within % span[:, 2]], 1)
    cube += least[triangle]
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    centre = low + (cube + 0.5) * side
    off = np.abs(np.einsum("kd,kd->k", normal[triangle], centre - triangles[triangle, 0]))
    near = off <= np.abs(normal).sum(1)[triangle] * side * 0.5 * (1 + 1e-6) + 1e-30
    return triangle[near], cube[near]
