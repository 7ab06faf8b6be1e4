"""Rays meet surfaces where they should, with the normals that are there."""

import numpy as np
import pytest
import torch

from tensorframes.data.synthetic.shapes import combine, fields, meshes
from tensorframes.data.synthetic.shapes.roots import evaluate, value_and_gradient
from tensorframes.data.synthetic.shapes.sampling import Implicit
from tensorframes.data.synthetic.shapes.scenes import Moved, Rectangle, Together
from tensorframes.data.synthetic.shapes.triangles import crossing

TURN = torch.linalg.qr(torch.tensor([[1.0, 0.4, 0.2], [0.3, 1.0, -0.5], [-0.1, 0.6, 1.0]], dtype=torch.float64))[0]
SHIFT = torch.tensor([0.05, -0.03, 0.02], dtype=torch.float64)
SOLIDS = {
    "sphere": fields.Sphere(0.6),
    "box": fields.Box((0.5, 0.4, 0.3)),
    "cylinder": fields.Cylinder(0.4, 0.5),
    "torus": fields.Torus(0.6, 0.2),
    "thin plate": fields.Box((0.7, 0.7, 0.006)),
    "small": fields.Sphere(0.02),
    "relief": combine.Displaced(
        fields.Sphere(0.6),
        combine.Relief(torch.tensor([[30.0, 0.0, 9.0]]), torch.tensor([0.02]), torch.tensor([0.4])),
    ),
}


def rays(count: int = 1500, reach: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """From outside, through a cube about the origin."""
    rng = np.random.default_rng(0)
    direction = rng.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return rng.uniform(-reach, reach, (count, 3)) - 3 * direction, direction


@pytest.mark.parametrize("name", SOLIDS)
def test_the_first_zero_along_a_ray_is_met(name):
    surface = Implicit(combine.Placed(SOLIDS[name], TURN, SHIFT))
    origin, direction = rays(400, reach=0.06 if name == "small" else 0.7)
    distance, normal = surface.cast(origin, direction)
    met = np.isfinite(distance)
    assert 0.05 < met.mean() < 1
    value, gradient = value_and_gradient(surface.field, torch.from_numpy((origin + direction * distance[:, None])[met]))
    assert value.abs().max() < 1e-6
    assert np.allclose(normal[met], gradient / gradient.norm(dim=1, keepdim=True), atol=1e-6)
    assert ((normal * direction).sum(1)[met] < 1e-3).all()
    # Nothing was passed by: on a fine comb of points before the hit, or along the whole ray, the field is positive.
    end = np.where(met, distance - 1e-4, 5.0)
    comb = origin[:, None] + direction[:, None] * (end[:, None] * np.linspace(0, 1, 250))[..., None]
    inside = evaluate(surface.field, torch.from_numpy(comb.reshape(-1, 3))).reshape(len(origin), -1).amin(1) < -1e-3
    assert inside.sum() == 0


def test_spheres_are_met_at_the_known_distance():
    origin, direction = rays()
    distance, normal = Implicit(fields.Sphere(0.6)).cast(origin, direction)
    along = (origin * direction).sum(1)
    root = along**2 - (origin**2).sum(1) + 0.36
    met = root > 0
    assert np.array_equal(met, np.isfinite(distance))
    assert np.allclose(distance[met], -along[met] - np.sqrt(root[met]), atol=1e-6)
    assert np.allclose(normal[met], (origin + direction * distance[:, None])[met] / 0.6, atol=1e-6)


def test_rays_from_within_meet_the_other_side():
    direction = rays()[1]
    distance, normal = Implicit(fields.Sphere(0.6)).cast(np.zeros_like(direction), direction)
    assert np.allclose(distance, 0.6, atol=1e-6)
    assert np.allclose(normal, direction, atol=1e-6)


def test_rays_pass_through_what_is_cut_away_of_an_open_surface():
    bowl = Implicit(fields.Sphere(0.6), fields.HalfSpace((0.0, 0.0, 1.0), 0.1))
    place = np.random.default_rng(0).uniform(-0.3, 0.3, (200, 2))
    origin, down = np.column_stack([place, np.full(200, 2.0)]), np.tile([0.0, 0.0, -1.0], (200, 1))
    distance, normal = bowl.cast(origin, down)
    floor = -np.sqrt(0.36 - (place**2).sum(1))
    assert np.allclose(2 - distance, floor, atol=1e-6)
    assert np.allclose(normal, np.column_stack([place, floor]) / 0.6, atol=1e-6)


def test_an_empty_field_is_never_met():
    distance, _ = Implicit(combine.Offset(fields.Sphere(0.5), -5.0)).cast(*rays(50))
    assert np.isinf(distance).all()


@pytest.mark.parametrize("resolution", [8, 40])
def test_meshes_are_met_as_by_a_test_of_every_triangle(resolution):
    mesh = meshes.polygonised(combine.Placed(fields.Torus(0.6, 0.2), TURN, SHIFT), resolution)
    origin, direction = rays(200)
    distance, normal = mesh.cast(origin, direction)
    triangles = mesh.vertices[mesh.faces]
    edges = triangles[:, 1:] - triangles[:, :1]
    for start, along, t, n in zip(origin, direction, distance, normal, strict=True):
        every = crossing(*(np.broadcast_to(part, (len(edges), 3)) for part in (start, along)), triangles[:, 0], edges)
        assert t == every.min()
        if np.isfinite(t):
            across = np.cross(*edges[every.argmin()])
            assert np.allclose(n, across / np.linalg.norm(across))
    assert np.isfinite(distance).any()


def test_rays_do_not_slip_between_triangles():
    """A closed mesh is met by every ray from within, through edges and vertices, too."""
    mesh = meshes.polygonised(fields.Sphere(0.6), 12)
    targets = np.concatenate([mesh.vertices, (mesh.vertices[mesh.faces[:, 0]] + mesh.vertices[mesh.faces[:, 1]]) / 2])
    direction = targets / np.linalg.norm(targets, axis=1, keepdims=True)
    distance, _ = mesh.cast(np.zeros_like(direction), direction)
    assert np.allclose(distance, np.linalg.norm(targets, axis=1), atol=1e-6)


def test_scenes_give_the_nearest_surface_in_its_place():
    turn, shift = TURN.numpy(), np.array([4.0, 0.0, 3.0])
    ball = Moved(Implicit(fields.Sphere(0.5)), turn, shift, 2.0)
    ground = Rectangle(np.zeros(3), np.eye(3), (10.0, 6.0))
    scene = Together([ground, ball])
    origin = np.array([[4.0, 0.0, 9.0], [0.0, 0.0, 9.0], [4.0, 0.0, 9.0], [0.0, 7.0, 9.0], [11.0, 0.0, 9.0]])
    down, up = [0.0, 0.0, -1.0], [0.0, 0.0, 1.0]
    distance, normal = scene.cast(origin, np.array([down, down, up, down, down]))
    assert np.allclose(distance, [5.0, 9.0, np.inf, np.inf, np.inf])
    assert np.allclose(normal[:2], up)
    distance, normal = ball.cast(shift + [[0.0, -5.0, 0.6]], np.array([[0.0, 1.0, 0.0]]))
    assert distance == pytest.approx([5 - 0.8])
    assert np.allclose(normal, [[0.0, -0.8, 0.6]], atol=1e-6)
