import itertools
import math

import numpy as np
import pytest
import torch

from tensorframes.data import PCPNet
from tensorframes.data.cloud import CATEGORIES, Cloud
from tensorframes.data.synthetic import Shapes, make_shape, making, write_pcpnet
from tensorframes.data.synthetic.categories import CORRUPTIONS, LEAST, InCategories
from tensorframes.data.synthetic.making import alike, kind_of, make_sampled
from tensorframes.data.synthetic.sampling import SAMPLINGS, ElevationGrid, VoxelFilter
from tensorframes.data.synthetic.shapes import combine, fields, meshes
from tensorframes.data.synthetic.shapes.kinds import KINDS
from tensorframes.data.synthetic.shapes.roots import evaluate, value_and_gradient
from tensorframes.data.synthetic.shapes.sampling import HALF, Implicit
from tensorframes.errors import UserError

TILTED = torch.linalg.qr(torch.tensor([[1.0, 0.4, 0.2], [0.3, 1.0, -0.5], [-0.1, 0.6, 1.0]], dtype=torch.float64))[0]


def placed(field):
    return combine.Placed(field, TILTED, torch.tensor([0.05, -0.03, 0.02], dtype=torch.float64))


def local(pos):
    return (pos - [0.05, -0.03, 0.02]) @ TILTED.numpy().T


def chi_squared(counts, expected) -> float:
    """Per degree of freedom: about 1 for counts that are random around what is expected."""
    return float(((counts - expected) ** 2 / expected).sum() / (len(counts) - 1))


def test_sphere_is_even_and_its_normals_are_exact():
    pos, normal = Implicit(placed(fields.Sphere(0.9))).sample(40_000, np.random.default_rng(0))
    offset = pos - [0.05, -0.03, 0.02]
    assert np.abs(np.linalg.norm(offset, axis=1) - 0.9).max() < 1e-6
    assert np.abs(normal - offset / 0.9).max() < 1e-6
    # Archimedes: every axis' coordinate is uniform on a sphere.
    for axis in range(3):
        counts = np.histogram(offset[:, axis], 40, (-0.9, 0.9))[0]
        assert chi_squared(counts, 1000) < 1.7


def test_sharp_box_is_even_up_to_its_edges_and_its_normals_are_exact():
    half = np.array([0.8, 0.6, 0.4])
    pos, normal = Implicit(placed(fields.Box(tuple(half)))).sample(60_000, np.random.default_rng(0))
    pos, normal = local(pos), normal @ TILTED.numpy().T
    axis = np.abs(normal).argmax(1)
    assert np.abs(np.abs(normal).max(1) - 1).max() < 1e-9
    assert np.abs(np.abs(np.take_along_axis(pos, axis[:, None], 1)[:, 0]) - half[axis]).max() < 1e-6
    area = np.array([half[1] * half[2], half[0] * half[2], half[0] * half[1]])
    assert chi_squared(np.bincount(axis), len(pos) * area / area.sum()) < 5
    on_top = pos[(axis == 2) & (pos[:, 2] > 0)]
    to_edge = (half[:2] - np.abs(on_top[:, :2])).min(1)
    bins = np.array([0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4])
    inner = 4 * (half[0] - bins.clip(max=0.6)) * (half[1] - bins.clip(max=0.6))
    expected = -np.diff(inner) / inner[0] * len(on_top)
    counts = np.histogram(to_edge, bins)[0]
    assert chi_squared(counts[:7], expected[:7]) < 2.5
    assert np.abs(counts[:2] / expected[:2] - 1).max() < 0.3


def test_points_do_not_gather_at_the_crease_of_a_cut():
    solid = combine.difference(fields.Sphere(0.8), fields.HalfSpace((0.0, 0.0, 1.0), 0.0))
    pos, normal = Implicit(placed(solid)).sample(60_000, np.random.default_rng(0))
    pos, flat = local(pos), np.abs(local(pos)[:, 2]) < 1e-6
    assert flat.mean() == pytest.approx(1 / 3, abs=0.01)
    radius = np.linalg.norm(pos[flat, :2], axis=1)
    assert chi_squared(np.histogram(radius**2, 50, (0, 0.64))[0], flat.sum() / 50) < 1.7
    assert chi_squared(np.histogram(pos[~flat, 2], 50, (0, 0.8))[0], (~flat).sum() / 50) < 1.7
    assert np.abs(local(normal + [0.05, -0.03, 0.02])[flat] - [0, 0, -1]).max() < 1e-9


def test_close_sheets_are_all_there_and_point_away_from_each_other():
    plate = combine.Shell(fields.HalfSpace((0.0, 0.0, 1.0), 0.0), 0.004)
    pos, normal = Implicit(placed(combine.Intersection((plate, fields.Cylinder(0.9, 1.0))))).sample(
        20_000, np.random.default_rng(0)
    )
    height, up = local(pos)[:, 2], (normal @ TILTED.numpy().T)[:, 2]
    assert (np.abs(up) > 0.999).mean() > 0.98
    assert np.mean(up > 0.999) == pytest.approx(np.mean(up < -0.999), abs=0.02)
    assert np.allclose(height[np.abs(up) > 0.999], 0.004 * np.sign(up[np.abs(up) > 0.999]), atol=1e-6)


def test_open_surfaces_end_where_they_are_cut():
    pos, _ = Implicit(fields.Sphere(0.8), fields.HalfSpace((0.0, 0.0, 1.0), 0.2)).sample(2000, np.random.default_rng(0))
    assert -0.8 <= pos[:, 2].min() < -0.79
    assert 0.19 < pos[:, 2].max() < 0.2


def test_an_empty_surface_is_refused():
    with pytest.raises(ValueError, match="expected a surface with room for 10 points, got 0"):
        Implicit(combine.Offset(fields.Sphere(0.1), -0.2)).sample(10, np.random.default_rng(0))


@pytest.mark.parametrize("convex", [True, False])
def test_polygon_is_the_signed_distance(convex):
    corners = (
        [[0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5], [0.5, -0.5]]
        if convex
        else [[0.8, 0.8], [0, 0.1], [-0.8, 0.8], [0, -0.8]]
    )
    points = torch.rand(4000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    distance = fields.Polygon(torch.tensor(corners, dtype=torch.float64))(points)
    path = np.array([*corners, corners[0]])
    t = np.linspace(0, 1, 2001)[:, None]
    edge = np.concatenate([a + t * (b - a) for a, b in itertools.pairwise(path)])
    nearest = np.array([np.linalg.norm(edge - point, axis=1).min() for point in points.numpy()])
    assert np.abs(distance.abs().numpy() - nearest).max() < 1e-3
    from matplotlib.path import Path

    inside = Path(path).contains_points(points.numpy())
    assert np.array_equal(inside[nearest > 1e-3], (distance < 0).numpy()[nearest > 1e-3])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_a_field_that_is_one_lipschitz_with_its_gradient(kind):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        surface = kind(rng)
        if isinstance(surface, meshes.Mesh):
            continue
        points = torch.from_numpy(rng.uniform(-HALF, HALF, (3000, 3)))
        value, gradient = value_and_gradient(surface.field, points)
        assert gradient.norm(dim=1).max() < 1 + 1e-6
        step = torch.from_numpy(rng.standard_normal((3000, 3))) * 1e-3
        rise = evaluate(surface.field, points + step) - value
        assert (rise.abs() <= step.norm(dim=1) * (1 + 1e-6) + 1e-12).all()
        smooth = (rise - (gradient * step).sum(1)).abs() < 0.05 * step.norm(dim=1)
        assert smooth.double().mean() > 0.95


@pytest.mark.parametrize("index", range(len(KINDS)))
def test_every_kind_gives_a_sound_cloud(index):
    cloud = make_shape(5, "train", index, 3000)
    assert cloud.pos.shape == (3000, 3)
    assert np.abs(cloud.pos).max() <= math.sqrt(3) * HALF
    assert np.linalg.norm(np.ptp(cloud.pos, axis=0)) > 0.3
    assert len(np.unique(cloud.pos, axis=0)) > 2990


def test_facets_carry_the_normals_of_their_faces_outward():
    mesh = meshes.coarsened(meshes.polygonised(fields.Sphere(0.8), 40), 200, 3, np.random.default_rng(0))
    pos, normal = mesh.sample(5000, np.random.default_rng(0))
    assert 300 < len(mesh.faces) < 420
    assert len(np.unique(normal.round(6), axis=0)) <= len(mesh.faces)
    assert (pos * normal).sum(1).min() > 0.6
    assert np.linalg.norm(pos, axis=1).max() <= 0.8 + 1e-6
    edges = np.sort(np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).mean() > 0.98


def test_mesh_points_are_even_by_area():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]])
    mesh = meshes.Mesh(square, np.array([[0, 1, 2], [0, 2, 3]]))
    pos, normal = mesh.sample(20_000, np.random.default_rng(0))
    counts = np.histogram2d(pos[:, 0], pos[:, 1], 10, [[0, 1], [0, 1]])[0].ravel()
    assert chi_squared(counts, 200) < 1.5
    assert np.array_equal(normal, np.tile([0, 0, 1.0], (20_000, 1)))


@pytest.mark.parametrize("closed", [True, False])
def test_tubes_point_outward(closed):
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False) if closed else np.linspace(0, 2, 20)
    path = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    around = np.arange(7) / 7 * 2 * np.pi
    section = 0.2 * np.stack([np.cos(around), np.sin(around)], 1)
    mesh = meshes.swept(path, np.tile(section, (len(path), 1, 1)), closed)
    pos, normal = mesh.sample(3000, np.random.default_rng(0))
    core = path[np.linalg.norm(pos[:, None] - path[None], axis=2).argmin(1)]
    assert ((pos - core) * normal).sum(1).min() > (0 if closed else -1e-6)


def test_a_shape_is_a_function_of_seed_split_and_index():
    one, two = make_shape(0, "train", 1, 500), make_shape(0, "train", 1, 500)
    assert np.array_equal(one.pos, two.pos)
    assert np.array_equal(one.normal, two.normal)
    others = [make_shape(0, "val", 1, 500), make_shape(0, "test", 1, 500), make_shape(1, "train", 1, 500)]
    others.append(make_shape(0, "train", 1 + len(KINDS), 500))
    assert not any(np.array_equal(one.pos, other.pos) for other in others)
    with pytest.raises(ValueError, match="expected a split of train, val, test, got 'trial'"):
        make_shape(0, "trial", 0, 10)


def small(root, **changes) -> Shapes:
    return Shapes(
        root, **{"train_shapes": 3, "val_shapes": 1, "test_shapes": 2, "points": 400, "test_points": 600, **changes}
    )


def test_splits_are_made_once_and_read_from_the_cache(tmp_path):
    made = small(tmp_path)
    assert not list(tmp_path.rglob("*.h5"))
    train = made.train
    assert len(train) == 3
    (file,) = tmp_path.rglob("*.h5")
    written = file.stat().st_mtime_ns
    assert np.array_equal(train[2].pos, make_shape(0, "train", 2, 400, count=3).pos)
    assert np.array_equal(small(tmp_path, workers=0).train[1].normal, train[1].normal)
    assert file.stat().st_mtime_ns == written
    assert len(small(tmp_path, seed=1).train) == 3
    assert len(list(tmp_path.rglob("*.h5"))) == 2


def test_test_shapes_come_in_every_category(tmp_path):
    clouds = small(tmp_path).test
    assert [cloud.category for cloud in clouds] == [category for category in CATEGORIES for _ in range(2)]
    assert len({cloud.name for cloud in clouds}) == 12
    for cloud in clouds:
        assert len(cloud.clean_pos) == 600
        assert len(cloud.eval_index) == len(cloud.pos)
        assert len(cloud.pos) >= 240
    assert np.array_equal(clouds[-1].pos, small(tmp_path).test[11].pos)
    assert len(small(tmp_path, categories=["med_noise"]).test) == 2


@pytest.fixture
def quick_kinds(monkeypatch) -> None:
    """Shapes are of two kinds that are made quickly."""
    monkeypatch.setattr(making, "KINDS", KINDS[-2:])


@pytest.mark.usefixtures("quick_kinds")
def test_every_way_of_sampling_and_every_corruption_is_a_category(tmp_path):
    names = [*SAMPLINGS, *CORRUPTIONS]
    clouds = small(tmp_path, test_shapes=1, categories=names, workers=0).test
    assert [cloud.category for cloud in clouds] == names
    assert len({cloud.name for cloud in clouds}) == len(names)
    for cloud in clouds:
        assert 50 < len(cloud) < 1000
        assert cloud.labelled[cloud.eval_index].all()
        assert len(cloud.eval_index) == cloud.labelled.sum()
    again = small(tmp_path, test_shapes=1, categories=names[-4:], workers=0).test
    for one, other in zip(clouds[-4:], again, strict=True):
        assert np.array_equal(one.pos, other.pos)


@pytest.mark.usefixtures("quick_kinds")
def test_training_shapes_may_be_sampled_too(tmp_path):
    clean = small(tmp_path, workers=0).train
    ways = {"grid": ElevationGrid(), "voxels": VoxelFilter()}
    sizes = {"points": 4000, "train_shapes": 1, "workers": 0}
    data = small(tmp_path, sampled_shapes=3, samplings=ways, **sizes)
    assert [cloud.category for cloud in data.train] == ["no_noise", "grid", "voxels", "grid"]
    assert all(len(cloud) < 3000 for cloud in data.train[1:])
    assert not np.array_equal(data.train[1].pos, data.train[3].pos)
    again = make_sampled(0, "train", 2, ("grid", ways["grid"]), (40, 2400))
    assert np.array_equal(again.pos, data.train[3].pos)
    assert np.allclose(again.normal, data.train[3].normal, atol=1e-6)
    files = {file.name for file in tmp_path.glob(".tensorframes_cache/*.h5")}
    assert len(files) == 3  # one of them only of the clean shapes, as if there were no others
    assert small(tmp_path, workers=0).train.entries == clean.entries
    other = small(tmp_path, sampled_shapes=1, samplings={"grid": ElevationGrid(2.0)}, **sizes)
    assert other.train.entries[-1].cache.name not in files


def test_sampled_shapes_are_dense_enough_to_be_seen(monkeypatch):
    monkeypatch.setattr(making, "KINDS", (lambda rng: None,))

    class Sheets:
        tries = 0

        def sample(self, surface, count, rng):
            """Two sheets, nearer to one another than points are, at first."""
            self.tries += 1
            apart = 1e-4 if self.tries < 4 else 1.0
            pos = np.concatenate(
                [rng.random((count, 3)) * [1, 1, 0], rng.random((count, 3)) * [1, 1, 0] + [0, 0, apart]]
            )
            return pos, np.repeat([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]], count, 0)

    sheets = Sheets()
    assert len(make_sampled(0, "train", 0, ("sheets", sheets), (100, 200))) >= 200
    assert sheets.tries == 4
    sheets.tries = -100
    with pytest.raises(UserError, match="by sheets in 100 to 200 points, got none in 20 tries: ask for more points"):
        make_sampled(0, "train", 0, ("sheets", sheets), (100, 200))


@pytest.mark.parametrize(("split", "key"), [("val", "val_shapes"), ("test", "test_shapes")])
def test_few_shapes_are_spread_over_all_kinds(tmp_path, split, key):
    names = [kind.__name__ for kind in KINDS]
    clouds = getattr(small(tmp_path, **{key: 4, "test_points": 30}), split).clean
    assert [names.index(cloud.name.split("_", 1)[1]) for cloud in clouds] == [0, 4, 8, 12]
    assert [len(cloud) for cloud in clouds] == [30] * 4
    assert np.array_equal(clouds[3].pos, make_shape(0, split, 3, 30, count=4).pos)
    for count in (1, 2, 13, 14, 32):
        kinds = [kind_of(index, count) for index in range(count)]
        assert len(set(kinds)) == min(count, len(KINDS))
        assert max(np.diff([*kinds[: len(KINDS)], len(KINDS)])) == math.ceil(len(KINDS) / min(count, len(KINDS)))


def test_thinned_clouds_keep_their_part_however_the_points_lie():
    along = np.concatenate([np.geomspace(1e-4, 1, 450), [1.0] * 50])
    for sign in (1, -1):  # a ramp runs along either
        pos = np.stack([sign * along, np.zeros(500), np.zeros(500)], 1)
        clouds = InCategories([Cloud("a", pos, np.tile([0.0, 0.0, 1.0], (500, 1)))], CATEGORIES, (0, 2))
        assert min(len(cloud) for cloud in clouds) == LEAST * 500


def test_pcpnets_layout_holds_the_same_clouds(tmp_path):
    made = small(tmp_path / "made", train_shapes=1, test_shapes=1)
    write_pcpnet(made, tmp_path / "pcpnet")
    read = PCPNet(tmp_path / "pcpnet", train_list="trainingset_whitenoise", val_list="validationset_no_noise")
    assert len(read.test) == 6
    for ours, theirs in zip(made.test, read.test, strict=True):
        assert (theirs.name, theirs.category) == (ours.name, ours.category)
        assert np.allclose(theirs.pos, ours.pos, atol=1e-6)
        assert np.allclose(theirs.normal, ours.normal, atol=1e-6)
        assert np.array_equal(theirs.eval_index, ours.eval_index)
    assert [cloud.category for cloud in read.train] == ["no_noise", "low_noise", "med_noise", "high_noise"]
    assert len(read.val) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_shapes": -1}, "expected train_shapes >= 0, got -1"),
        ({"points": 0}, "expected points >= 1 and a seed >= 0, got 0, 600 and 0"),
        ({"categories": ["loud"]}, "expected a category of .*, got 'loud'"),
        ({"sampled_shapes": -1}, "expected sampled_shapes >= 0, got -1"),
        ({"sampled_shapes": 1, "samplings": {}}, "expected samplings for sampled_shapes=1, got none"),
        ({"samplings": {"outliers": VoxelFilter()}}, "expected other names for samplings, got outliers"),
    ],
)
def test_mistakes_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        small(tmp_path, **change)


def test_a_root_that_is_a_file_is_the_users_mistake(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UserError, match="expected a folder for generated shapes"):
        _ = small(file).train


def test_a_sampling_without_labelled_points_shows_no_surface() -> None:
    rng = np.random.default_rng(0)
    assert alike(np.zeros((0, 3)), np.zeros((0, 3)), rng) == 0
    assert alike(np.ones((3, 3)), np.eye(3)[[0]].repeat(3, 0) * [[1], [0], [0]], rng) == 0
