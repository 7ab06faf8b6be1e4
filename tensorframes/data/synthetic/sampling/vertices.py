"""Vertices of regular and irregular triangle meshes."""

from dataclasses import dataclass

import numpy as np
import torch

from tensorframes.data.synthetic.sampling.triangulation import triangulation
from tensorframes.data.synthetic.sampling.views import Sample, Surface, check_count, extent, first_hits, random_axes
from tensorframes.data.synthetic.shapes import meshes, parts
from tensorframes.data.synthetic.shapes.combine import Placed
from tensorframes.data.synthetic.shapes.roots import evaluate, value_and_gradient
from tensorframes.data.synthetic.shapes.sampling import Implicit
from tensorframes.data.transforms.ranges import RandomParameters, Range

LAYOUTS = ("triangulated", "polar", "turned", "boxed", "swept")

Rays = tuple[np.ndarray, np.ndarray, float]
"""Starts (M, 3), unit directions (M, 3), and the largest distance of a hit."""


@dataclass(frozen=True)
class MeshVertices(RandomParameters):
    """Vertices as modelling and meshing programs place them.

    triangulated: of an uneven or even triangle mesh; polar: at equal steps of longitude and latitude, on the outermost
    surface from the centre; turned: at equal steps of angle and height about an axis; boxed: on square grids from each
    of six sides; swept: rings of corners along a random curve instead of the surface.

    Args:
        layout: one of LAYOUTS, or any: one of them at random.
        ratio: step along the axis, or the path, divided by that across (not of triangulated).
    """

    layout: str = "any"
    ratio: Range = (0.5, 2.0)

    def __post_init__(self) -> None:
        if self.layout not in ("any", *LAYOUTS):
            raise ValueError(f"expected a layout of any, {', '.join(LAYOUTS)}, got {self.layout!r}")
        super().__post_init__()

    def sample(self, surface: Surface, count: int, rng: np.random.Generator) -> Sample:
        """About `count` vertices and their normals: those of the field, or of a mesh the mean over its faces by area.

        Raises:
            ValueError: the surface is empty.
        """
        settings = self.draw(rng)
        layout = LAYOUTS[int(rng.integers(len(LAYOUTS)))] if settings.layout == "any" else settings.layout
        if layout == "triangulated":
            return triangulated(surface, count, rng)
        if layout == "swept":
            return swept(count, settings.ratio, rng)
        return _on_rays(surface, layout, count, settings.ratio, rng)


def _on_rays(surface: Surface, layout: str, count: int, ratio: float, rng: np.random.Generator) -> Sample:
    centre, radius = extent(surface, rng)
    axes = random_axes(rng)
    if isinstance(surface, Implicit) and isinstance(surface.field, Placed) and rng.random() < 0.7:
        axes, centre = surface.field.turn.numpy(), surface.field.shift.numpy()  # those of the solid
    rays = {"polar": polar, "turned": turned, "boxed": boxed}[layout]
    requested = float(count)
    for _ in range(2):
        start, along, reach = rays(requested, ratio)
        rows, distance, normal = first_hits(surface, centre + radius * start @ axes, along @ axes)
        hit = distance <= reach * radius
        if layout == "boxed":  # the side that a point faces most, or slopes would be covered several times
            hit &= np.abs(normal @ axes.T).argmax(1) == np.abs(along[rows]).argmax(1)
        check_count(int(hit.sum()))
        requested *= count / hit.sum()
    rows, distance = rows[hit], distance[hit]
    return radius * start[rows] + along[rows] * distance[:, None], normal[hit] @ axes.T


def polar(count: float, ratio: float) -> Rays:
    """Rays from a sphere to its centre; `ratio`: step of latitude divided by that of longitude."""
    turns = max(round((2 * count * ratio) ** 0.5), 3)
    rings = max(round(count / turns), 2)
    longitude = np.arange(turns) * 2 * np.pi / turns
    latitude = (np.arange(rings) + 0.5) * np.pi / rings - np.pi / 2
    longitude, latitude = (part.ravel() for part in np.meshgrid(longitude, latitude))
    out = np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], 1)
    return 1.05 * out, -out, 1.05


def turned(count: float, ratio: float) -> Rays:
    """Rays from a cylinder to its axis; `ratio`: step of height divided by that around, at a third of the radius."""
    turns = max(round((count * ratio * np.pi / 3) ** 0.5), 3)
    rings = max(round(count / turns), 2)
    angle, height = np.arange(turns) * 2 * np.pi / turns, np.linspace(-1, 1, rings)
    angle, height = (part.ravel() for part in np.meshgrid(angle, height))
    out = np.stack([np.cos(angle), np.sin(angle), np.zeros(len(angle))], 1)
    return 1.05 * out + height[:, None] * np.eye(3)[2], -out, 1.05


def boxed(count: float, ratio: float) -> Rays:
    """Rays from the sides of a cube, on grids of cells with sides `ratio` to 1."""
    cell = np.sqrt(24 / count) * np.array([ratio**0.5, ratio**-0.5])
    steps = [np.arange(-np.floor(1 / each), np.floor(1 / each) + 1) * each for each in cell]
    across = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 2)
    start, along = [], []
    for axis in range(3):
        for side in (1.05, -1.05):
            place = np.full((len(across), 3), side)
            place[:, [(axis + 1) % 3, (axis + 2) % 3]] = across
            start.append(place)
            along.append(np.broadcast_to(-np.sign(side) * np.eye(3)[axis], place.shape))
    return np.concatenate(start), np.concatenate(along), np.inf


def triangulated(surface: Surface, count: int, rng: np.random.Generator) -> Sample:
    """Vertices of a mesh of the surface, simplified to about `count`."""
    mesh = triangulation(surface, count)
    if len(mesh.vertices) > count:
        mesh = meshes.coarsened(mesh, count, int(rng.integers(0, 5)), rng)
    used = np.unique(mesh.faces)
    pos, normal = mesh.vertices[used], meshes.vertex_normals(mesh)[used]
    good = np.linalg.norm(normal, axis=1) > 0.5
    if isinstance(surface, Implicit):
        value, gradient = value_and_gradient(surface.field, torch.from_numpy(pos))
        size = gradient.norm(dim=1)
        good = ((value.abs() < 1e-5) & (size > 1e-3)).numpy()
        if surface.region is not None:
            good &= (evaluate(surface.region, torch.from_numpy(pos)) < 0).numpy()
        normal = (gradient / size[:, None]).numpy()
    check_count(int(good.sum()))
    return pos[good], normal[good]


def swept(count: int, ratio: float, rng: np.random.Generator) -> Sample:
    """Rings of corners along a curve; the section is round or wavy, of varying radius."""
    corners = int(np.clip(round((count * ratio / 4) ** 0.5), 6, count // 4))
    rings = max(round(count / corners), 4)
    path, angle = parts.curve(rng, rings), np.arange(corners) / corners * 2 * np.pi
    radius = rng.uniform(0.1, 0.2) * (1 + 0.4 * np.sin(np.linspace(0, rng.uniform(2, 12), rings)))
    wave = 1 + rng.uniform(0, 0.2) * np.sin(int(rng.integers(2, 6)) * angle)
    section = np.stack([np.cos(angle), np.sin(angle)], 1) * wave[:, None]
    mesh = meshes.swept(path, radius[:, None, None] * section, closed=False)
    return mesh.vertices[:-2], meshes.vertex_normals(mesh)[:-2]
