"""Random parts of shapes: solids, polygons, plates, bodies, reliefs, tubes; all within the reach of the sampler."""

import numpy as np
import torch
from numpy.typing import ArrayLike

from tensorframes.data.synthetic.shapes import combine, fields, meshes
from tensorframes.data.transforms.augmentation import random_orthogonal

INFINITE = float("inf")


def placed(field: fields.Field, rng: np.random.Generator, reach: float, scale: float = 1.0) -> combine.Placed:
    """The field, turned at random and moved to a random place in a cube of half size `reach`."""
    shift = torch.from_numpy(rng.uniform(-reach, reach, 3))
    return combine.Placed(field, torch.from_numpy(random_orthogonal(rng)), shift, scale)


def solid(rng: np.random.Generator, size: float) -> fields.Field:
    """An analytic solid within a ball of about `size`."""
    a, b, c = size * rng.uniform(0.3, 0.9, 3)
    kind = int(rng.integers(8))
    if kind == 0:
        return fields.Sphere(0.8 * size)
    if kind == 1:
        return fields.Ellipsoid((a, b, c))
    if kind == 2:
        return fields.Box((0.75 * a, 0.75 * b, 0.75 * c))
    if kind == 3:
        return fields.Cylinder(0.7 * a, 0.8 * b)
    if kind == 4:
        return fields.Cone(0.9 * a, 0.9 * a * rng.uniform(0, 0.7), 0.7 * b)
    if kind == 5:
        return fields.Torus(0.65 * size, size * rng.uniform(0.1, 0.3))
    if kind == 6:
        return bones([[0, 0, -0.6 * size]], [[0, 0, 0.6 * size]], [[0.35 * a, 0.35 * b]], 0.0)
    return combine.Offset(fields.Prism(star(rng, 0.7 * size), 0.5 * b), 0.02)


def bones(start: ArrayLike, end: ArrayLike, radii: ArrayLike, smoothness: float) -> fields.Skeleton:
    """A skeleton of arrays (M, 3), (M, 3) and (M, 2)."""
    tensors = [torch.tensor(np.array(part), dtype=torch.float64) for part in (start, end, radii)]
    return fields.Skeleton(tensors[0], tensors[1], tensors[2], smoothness)


def waves_of(vectors: np.ndarray, amplitudes: np.ndarray, phases: np.ndarray, profile: str = "waves") -> combine.Relief:
    """A relief of arrays (M, 3), (M,) and (M,)."""
    return combine.Relief(torch.from_numpy(vectors), torch.from_numpy(amplitudes), torch.from_numpy(phases), profile)


def combined(rng: np.random.Generator, smoothness: float) -> fields.Field:
    """Two to five solids joined, and cut by one to four others."""
    solids = [placed(solid(rng, rng.uniform(0.5, 0.9)), rng, 0.35) for _ in range(int(rng.integers(2, 6)))]
    holes = [placed(solid(rng, rng.uniform(0.25, 0.6)), rng, 0.55) for _ in range(int(rng.integers(1, 5)))]
    return combine.difference(combine.Union(tuple(solids), smoothness), *holes, smoothness=smoothness)


def machined(rng: np.random.Generator, smoothness: float) -> fields.Field:
    """A machined part: a plate or drum with bosses and ribs along common axes, pockets and drilled holes."""
    a, b, c = rng.uniform(0.5, 0.8), rng.uniform(0.4, 0.7), rng.uniform(0.08, 0.3)
    base: fields.Field = fields.Box((a, b, c)) if rng.random() < 0.6 else fields.Prism(star(rng, 0.8), c)
    added, removed = [base], []
    for _ in range(int(rng.integers(2, 6))):
        shift, turn = rng.uniform(-0.5, 0.5, 3) * [a, b, c], np.roll(np.eye(3), int(rng.integers(3)), axis=1)
        boss = fields.Cylinder(rng.uniform(0.08, 0.3), rng.uniform(0.2, 0.6))
        rib = fields.Box((rng.uniform(0.1, 0.6), rng.uniform(0.02, 0.2), rng.uniform(0.1, 0.6)))
        added.append(upright(boss if rng.random() < 0.5 else rib, turn, shift))
        hole = fields.Cylinder(rng.uniform(0.04, 0.2), rng.uniform(0.3, 1.5))
        pocket = fields.Box(tuple(rng.uniform(0.05, 0.25, 3).tolist()))
        removed.append(upright(hole if rng.random() < 0.6 else pocket, turn, 1.5 * shift))
    return combine.difference(combine.Union(tuple(added), smoothness), *removed, smoothness=smoothness)


def upright(field: fields.Field, turn: np.ndarray, shift: np.ndarray) -> combine.Placed:
    """The field rotated by `turn` and translated by `shift`."""
    return combine.Placed(field, torch.from_numpy(turn), torch.from_numpy(shift))


def star(rng: np.random.Generator, size: float) -> fields.Polygon:
    """A polygon of 3 to 16 corners, star-shaped about the origin: regular, a star or a gear, or irregular."""
    count = int(rng.integers(3, 17))
    angle, radius = np.arange(count) / count * 2 * np.pi, np.full(count, size)
    if rng.random() < 0.5:
        radius = size * rng.uniform(0.4, 1.0, count)
        angle = angle + rng.uniform(-0.35, 0.35, count) * 2 * np.pi / count
    elif count % 2 == 0:
        radius[::2] *= rng.uniform(0.4, 0.95)
    return fields.Polygon(torch.from_numpy(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)))


def prism(rng: np.random.Generator) -> fields.Field:
    """A star-shaped polygon extruded; perhaps hollow, drilled, twisted or with round edges."""
    half = rng.uniform(0.1, 0.8)
    field: fields.Field = fields.Prism(star(rng, 0.95), half)
    variant = int(rng.integers(4))
    if variant == 0:
        return combine.difference(
            field, combine.Repeated(fields.Cylinder(rng.uniform(0.06, 0.1), 2.0), (0.3, 0.3, INFINITE))
        )
    if variant == 1:
        return combine.Twisted(field, rng.uniform(-1.5, 1.5))
    if variant == 2:
        return combine.Offset(combine.Intersection((field, fields.Sphere(1.0)), rng.uniform(0.005, 0.03)), 0.01)
    return combine.difference(field, placed(fields.Prism(star(rng, 0.4), 2.0), rng, 0.2))


def profile(rng: np.random.Generator) -> fields.Polygon:
    """A chain (rho, z) through 3 to 9 random radii, of straight or curved sections, with steps."""
    count = int(rng.integers(3, 10))
    height = np.sort(rng.uniform(-0.9, 0.9, count))
    height = 0.5 * height + 0.5 * np.linspace(-0.9, 0.9, count)
    radius = rng.uniform(0.15, 0.75, count)
    if rng.random() < 0.5:
        fine = np.linspace(height[0], height[-1], 24)
        waves = np.interp(fine, height, radius)
        height, radius = fine, np.convolve(np.pad(waves, 2, mode="edge"), np.full(5, 0.2), "valid")
    steps = rng.random(len(height)) < 0.3
    height, radius = np.repeat(height, 1 + steps), np.repeat(radius, 1 + steps)
    radius[1:][np.diff(height) == 0] *= rng.uniform(0.6, 0.9)
    corners = np.stack([np.pad(radius, 1), np.pad(height, 1, mode="edge")], 1)
    return fields.Polygon(torch.from_numpy(corners), closed=False)


def plates(rng: np.random.Generator) -> fields.Field:
    """Two to six thin plates: stacked with small gaps, or crossing; perhaps perforated."""
    count, thickness = int(rng.integers(2, 7)), rng.uniform(0.006, 0.03)
    plate: fields.Field = fields.Box((rng.uniform(0.5, 0.9), rng.uniform(0.5, 0.9), thickness))
    if rng.random() < 0.4:
        plate = combine.difference(plate, combine.Repeated(fields.Cylinder(0.09, 1.0), (0.35, 0.35, INFINITE)))
    if rng.random() < 0.5:
        return combine.Union(tuple(placed(plate, rng, 0.3) for _ in range(count)))
    gaps = np.cumsum(2 * thickness + rng.uniform(0.02, 0.15, count))
    shifts = np.stack([*rng.uniform(-0.15, 0.15, (2, count)), gaps - gaps.mean()], 1)
    return combine.Union(tuple(combine.Placed(plate, torch.eye(3), torch.from_numpy(shift)) for shift in shifts))


def body(rng: np.random.Generator) -> fields.Field:
    """A random tree of tapered limbs, smoothly joined; thick at the root, thin at the tips."""
    start, end, radii = [], [], []
    ends = [(np.zeros(3), 0.32, random_direction(rng))]
    for _ in range(int(rng.integers(5, 16))):
        origin, thick, direction = ends[int(rng.integers(len(ends)))]
        direction = direction + 1.2 * random_direction(rng)
        tip = origin + direction / np.linalg.norm(direction) * rng.uniform(0.25, 0.6)
        tip = tip * min(1.0, 0.95 / np.linalg.norm(tip))
        thin = max(0.04, thick * rng.uniform(0.45, 0.95))
        if np.linalg.norm(tip - origin) < 1.5 * abs(thick - thin) + 0.05:
            continue
        start.append(origin)
        end.append(tip)
        radii.append([thick, thin])
        ends.append((tip, thin, direction / np.linalg.norm(direction)))
    return bones(start, end, radii, rng.uniform(0.01, 0.05))


def smooth(rng: np.random.Generator) -> fields.Field:
    """A body, or solids with rounded creases."""
    return body(rng) if rng.random() < 0.5 else combined(rng, rng.uniform(0.02, 0.08))


def random_direction(rng: np.random.Generator) -> np.ndarray:
    """A uniform unit vector (3,)."""
    direction = rng.standard_normal(3)
    return direction / np.linalg.norm(direction)


def fine_relief(rng: np.random.Generator) -> combine.Relief:
    """One to five waves of length 0.06 to 0.4 and slope at most 0.8 together."""
    count = int(rng.integers(1, 6))
    size = 2 * np.pi / np.exp(rng.uniform(np.log(0.06), np.log(0.4), count))
    waves = np.stack([random_direction(rng) for _ in range(count)]) * size[:, None]
    amplitudes = rng.uniform(0.2, 0.8) / count / size
    profile = ("waves", "ridges", "grooves")[int(rng.integers(3))]
    return waves_of(waves, amplitudes, rng.uniform(0, 6.3, count), profile)


def heights(rng: np.random.Generator) -> combine.Heights:
    """A height field of three to eight waves, long and short."""
    count = int(rng.integers(3, 9))
    size = 2 * np.pi / np.exp(rng.uniform(np.log(0.15), np.log(2.0), count))
    angle = rng.uniform(0, 2 * np.pi, count)
    waves = np.stack([size * np.cos(angle), size * np.sin(angle), np.zeros(count)], 1)
    amplitudes = rng.uniform(0.5, 1.5) / count / size
    profile = ("waves", "waves", "ridges")[int(rng.integers(3))]
    return combine.Heights(waves_of(waves, amplitudes, angle, profile))


def terrain(rng: np.random.Generator) -> fields.Field:
    """Gentle ground about height 0, long and short waves; half of the time with blocks standing on it."""
    count = int(rng.integers(2, 8))
    size = 2 * np.pi / np.exp(rng.uniform(np.log(0.4), np.log(4.0), count))
    angle = rng.uniform(0, 2 * np.pi, count)
    waves = np.stack([size * np.cos(angle), size * np.sin(angle), np.zeros(count)], 1)
    amplitudes = rng.uniform(0.05, 0.7) / count / size
    phases = rng.uniform(0, 2 * np.pi, count)
    ground = combine.Heights(waves_of(waves, amplitudes, phases))
    if rng.random() < 0.5:
        return ground
    blocks = []
    for _ in range(int(rng.integers(1, 9))):
        half, turn = rng.uniform(0.04, 0.25, 3) * [1, 1, 0.6], rng.uniform(0, np.pi)
        axes = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        blocks.append(upright(fields.Box(tuple(half.tolist())), axes, np.append(rng.uniform(-0.8, 0.8, 2), 0.0)))
    return combine.Union((ground, *blocks))


def cut(rng: np.random.Generator) -> fields.Field:
    """The region to which an open surface is cut: one side of a plane, without a ball."""
    plane = fields.HalfSpace(tuple(random_direction(rng).tolist()), rng.uniform(-0.1, 0.4))
    return combine.difference(plane, placed(fields.Sphere(rng.uniform(0.2, 0.5)), rng, 0.7))


def curve(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 3) points of an open, gently winding curve."""
    t = np.linspace(0, 1, count)[:, None]
    bend = sum(rng.uniform(-0.35, 0.35, 3) * np.sin(np.pi * order * t + rng.uniform(0, 6.3, 3)) for order in (1, 2, 3))
    return bend + (t - 0.5) * 1.3 * random_direction(rng)


def pipe(rng: np.random.Generator) -> fields.Field:
    """Round tubes along a curve of 6 to 14 straight segments; half of them hollow, cut off at the ends."""
    path = curve(rng, int(rng.integers(7, 15)))
    radius = rng.uniform(0.06, 0.16)
    tube = bones(path[:-1], path[1:], np.full((len(path) - 1, 2), radius), 0.0)
    if rng.random() < 0.5:
        return tube
    return combine.difference(
        tube, combine.Offset(tube, -rng.uniform(0.2, 0.5) * radius), fields.HalfSpace((1.0, 0.0, 0.0), -0.2)
    )


def faceted_tube(rng: np.random.Generator) -> meshes.Mesh:
    """A tube along a curve with flat sides, its section growing and shrinking."""
    path = curve(rng, int(rng.integers(8, 60)))
    corners = int(rng.integers(3, 24))
    angle = np.arange(corners) / corners * 2 * np.pi
    radius = rng.uniform(0.06, 0.18) * (1 + 0.4 * np.sin(np.linspace(0, rng.uniform(2, 12), len(path))))
    section = np.stack([np.cos(angle), np.sin(angle)], 1) * rng.uniform(0.7, 1.0, (corners, 1))
    return meshes.swept(path, radius[:, None, None] * section, closed=False)
