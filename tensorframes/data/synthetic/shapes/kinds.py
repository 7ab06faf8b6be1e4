"""The kinds of shapes: each function returns a random surface.

Surfaces are about two units across. KINDS alternates sharp, smooth, thin and fine ones, so that a few shapes in a row
vary.
"""

from collections.abc import Callable

import numpy as np

from tensorframes.data.synthetic.shapes import combine, fields, meshes, parts
from tensorframes.data.synthetic.shapes.sampling import Implicit
from tensorframes.data.synthetic.shapes.scenes import Surface

Kind = Callable[[np.random.Generator], Surface]


def primitive(rng: np.random.Generator) -> Surface:
    """One analytic solid."""
    return Implicit(parts.placed(parts.solid(rng, rng.uniform(0.6, 1.0)), rng, reach=0.0))


def sharp_solids(rng: np.random.Generator) -> Surface:
    """Solids joined and cut with sharp creases."""
    return Implicit(parts.combined(rng, smoothness=0.0))


def smooth_solids(rng: np.random.Generator) -> Surface:
    """Solids joined and cut with rounded creases."""
    return Implicit(parts.combined(rng, smoothness=rng.uniform(0.01, 0.08)))


def machine_part(rng: np.random.Generator) -> Surface:
    """Plates, bosses, ribs, pockets and holes along common axes, with sharp edges or small fillets."""
    smoothness = 0.0 if rng.random() < 0.6 else rng.uniform(0.003, 0.015)
    return Implicit(parts.placed(parts.machined(rng, smoothness), rng, reach=0.0))


def extrusion(rng: np.random.Generator) -> Surface:
    """A random polygon extruded, some with holes, twisted or rounded."""
    return Implicit(parts.placed(parts.prism(rng), rng, reach=0.0))


def turned(rng: np.random.Generator) -> Surface:
    """Surfaces of revolution of profiles with corners: vases, columns, wheels; a few are hollow."""
    solid: fields.Field = fields.Revolved(parts.profile(rng))
    if rng.random() < 0.3:
        solid = combine.Shell(solid, rng.uniform(0.01, 0.03))
    return Implicit(parts.placed(solid, rng, reach=0.0))


def sheets(rng: np.random.Generator) -> Surface:
    """Thin plates, crossing or parallel and close, some with holes."""
    return Implicit(parts.placed(parts.plates(rng), rng, reach=0.0))


def organic(rng: np.random.Generator) -> Surface:
    """A body with limbs, smoothly joined."""
    return Implicit(parts.body(rng))


def relief(rng: np.random.Generator) -> Surface:
    """A smooth shape under fine relief."""
    return Implicit(combine.Displaced(parts.smooth(rng), parts.fine_relief(rng)))


def facets(rng: np.random.Generator) -> Surface:
    """A coarse triangle mesh of a smooth shape: edges of 5 to 20 spacings of 100,000 points."""
    mesh = meshes.polygonised(parts.smooth(rng), 64)
    return meshes.coarsened(mesh, round(np.exp(rng.uniform(np.log(250), np.log(3000)))), int(rng.integers(0, 5)), rng)


def fine_facets(rng: np.random.Generator) -> Surface:
    """A finer triangle mesh of a body with relief, its vertices a little rough: edges of 1 to 4 spacings."""
    field = combine.Displaced(parts.body(rng), parts.fine_relief(rng))
    count = round(np.exp(rng.uniform(np.log(4000), np.log(16000))))
    mesh = meshes.coarsened(meshes.polygonised(field, 112), count, int(rng.integers(0, 3)), rng)
    return meshes.roughened(mesh, rng.uniform(0.0, 0.04), rng)


def scanned(rng: np.random.Generator) -> Surface:
    """A smooth shape as a reconstructed scan: an even triangle mesh, edges of 3 to 6 spacings, slightly noisy."""
    return _triangulated(parts.smooth(rng), rng)


def scanned_solids(rng: np.random.Generator) -> Surface:
    """The same of solids with creases, which the triangles chamfer."""
    return _triangulated(parts.combined(rng, 0.0) if rng.random() < 0.5 else parts.machined(rng, 0.0), rng)


def _triangulated(field: fields.Field, rng: np.random.Generator) -> meshes.Mesh:
    count = round(np.exp(rng.uniform(np.log(3000), np.log(24000))))
    mesh = meshes.coarsened(meshes.polygonised(field, 128), count, int(rng.integers(1, 5)), rng)
    return meshes.roughened(mesh, rng.uniform(0.0, 0.02), rng)


def open_surface(rng: np.random.Generator) -> Surface:
    """A height field, or a smooth surface cut open: borders, and no inside."""
    if rng.random() < 0.5:
        return Implicit(parts.heights(rng), fields.Box((1.0, rng.uniform(0.5, 1.0), 1.2)))
    return Implicit(parts.smooth(rng), parts.cut(rng))


def lattice(rng: np.random.Generator) -> Surface:
    """A periodic surface in a solid: many sheets, near to one another."""
    wall = combine.Shell(fields.Gyroid(rng.uniform(3, 8)), rng.uniform(0.02, 0.05))
    solid = (fields.Sphere(0.9), fields.Box((0.6, 0.7, 0.8)), fields.Cylinder(0.7, 0.8))[int(rng.integers(3))]
    return Implicit(combine.Intersection((parts.placed(solid, rng, reach=0.0), parts.placed(wall, rng, reach=0.3))))


def pipes(rng: np.random.Generator) -> Surface:
    """Tubes along a curve, smooth or with a section of flat sides."""
    return parts.faceted_tube(rng) if rng.random() < 0.5 else Implicit(parts.pipe(rng))


KINDS: tuple[Kind, ...] = (
    fine_facets,
    sharp_solids,
    relief,
    scanned,
    extrusion,
    organic,
    sheets,
    facets,
    turned,
    smooth_solids,
    scanned_solids,
    machine_part,
    lattice,
    open_surface,
    pipes,
    primitive,
)
"""All kinds; `making.kind_of` assigns them to the shapes of a split."""
