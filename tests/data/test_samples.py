import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import Subset
from torch_geometric.loader import DataLoader

from tensorframes.data.cloud import CATEGORIES, Cloud
from tensorframes.data.samples import DIRECT_POINTS, CachedCloud, TrainingSamples, ValidationClouds
from tensorframes.data.transforms.augmentation import RandomRotation
from tensorframes.data.transforms.corruption import (
    Corruption,
    CorruptionMix,
    DecadesDensity,
    Density,
    Misregistered,
    Outliers,
    Quantised,
    diagonal,
)
from tensorframes.data.transforms.scales import distinct_rows, estimated_scale
from tensorframes.errors import UserError
from tensorframes.geometry import PROFILE_SIZE, cloud_scale, variation_profile

WHOLE = 2**30  # points of a patch that is the whole cloud


def sphere(count: int, seed: int = 0) -> Cloud:
    x = np.random.default_rng(seed).standard_normal((count, 3))
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return Cloud(f"sphere{count}", x, x)


def samples(length: int = 6, patch_points: int = 300) -> TrainingSamples:
    clouds = [sphere(2000), sphere(900), sphere(20_000)]
    return TrainingSamples(clouds, length, patch_points, RandomRotation("o3"), CorruptionMix(), seed=3)


def same(one, other) -> bool:
    return all(torch.equal(one[key], other[key]) for key in ("pos", "normal", "scale", "loss_mask", "oriented"))


def test_a_sample_has_every_tensor():
    data = samples()[0]
    assert data.pos.shape == data.normal.shape == (300, 3)
    assert data.pos.dtype == data.normal.dtype == data.scale.dtype == torch.float32
    assert data.scale.shape == data.oriented.shape == (1,)
    assert int(data.loss_mask.sum()) == 150
    assert torch.allclose(data.normal.norm(dim=1), torch.ones(300), atol=1e-5)


def test_a_sample_tells_its_noise():
    told = TrainingSamples([sphere(4000)], 1, 300, corruption=Corruption(0.0125))[0].noise
    assert told.shape == (1,)
    assert told.item() == pytest.approx(0.0125)


def test_the_profile_is_that_of_the_whole_cloud_where_it_is_asked_for():
    assert "profile" not in samples()[0]
    clouds = [sphere(4000)]
    with_profile = TrainingSamples(clouds, 2, 300, RandomRotation("o3"), CorruptionMix(), seed=3, profile=True)
    without = TrainingSamples(clouds, 2, 300, RandomRotation("o3"), CorruptionMix(), seed=3)
    for index in range(2):
        assert same(with_profile[index], without[index])
        assert torch.equal(with_profile[index].profile, with_profile[index].profile)
    clean = TrainingSamples(clouds, 1, 300, profile=True)[0]
    pos = torch.from_numpy(clouds[0].pos) / clean.scale
    assert clean.profile.shape == (1, PROFILE_SIZE)
    assert torch.allclose(clean.profile[0], variation_profile(pos, torch.arange(4000), weigh=True), atol=0.03)


def test_a_patch_has_the_nearest_points_and_its_loss_mask_the_nearest_half():
    cloud = sphere(1000)
    data = TrainingSamples([cloud], 1, 200, seed=1)[0]
    distance = data.pos.norm(dim=1)
    centre = cloud.pos[np.abs(cloud.normal - data.normal[distance.argmin()].numpy()).sum(1).argmin()]
    nearest = np.sort(np.linalg.norm(cloud.pos - centre, axis=1))[:200]
    assert np.allclose(np.sort(distance.numpy()), nearest, atol=1e-6)
    assert distance[data.loss_mask].max() <= distance[~data.loss_mask].min()
    assert distance.min() == 0


def test_context_widens_a_patch_in_units_of_the_scale():
    cloud = sphere(3000)
    narrow, wide = (TrainingSamples([cloud], 1, 200, seed=1, context=context)[0] for context in (0.0, 9.0))
    assert torch.equal(narrow.pos[narrow.loss_mask], wide.pos[wide.loss_mask])
    reach = wide.pos[wide.loss_mask].norm(dim=1).max() + 9 * float(wide.scale)
    centre = (wide.normal - wide.pos).mean(0).numpy()
    assert len(wide.pos) == (np.linalg.norm(cloud.pos - centre, axis=1) <= float(reach) + 1e-6).sum() > 200
    assert len(TrainingSamples([cloud], 1, 200, seed=1, context=9.0, most_points=250)[0].pos) == 250


def test_points_and_normals_turn_together():
    data = TrainingSamples([sphere(500)], 8, 500, RandomRotation("o3"), seed=1)
    for item in range(8):
        sample = data[item]
        centre = (sample.pos - sample.normal).mean(0)
        assert torch.allclose(sample.pos - sample.normal, centre.expand(500, 3), atol=1e-5)


def test_the_same_seed_epoch_and_item_give_the_same_sample_and_others_differ():
    one, other = samples(), samples()
    assert all(same(one[index], other[index]) for index in (11, 0, 5, 11))
    assert not torch.equal(one[0].pos, one[6].pos)
    other.seed = 4
    assert not torch.equal(one[0].pos, other[0].pos)


def test_loaders_give_the_same_samples_with_and_without_workers():
    one = list(DataLoader(samples(), batch_size=3, num_workers=0))
    two = list(DataLoader(samples(), batch_size=3, num_workers=2))
    assert len(one) == 2
    assert all(same(a, b) and torch.equal(a.batch, b.batch) for a, b in zip(one, two, strict=True))


def digest() -> str:
    made = samples()
    arrays = [array.numpy().tobytes() for index in range(9) for array in (made[index].pos, made[index].scale)]
    return hashlib.sha256(b"".join(arrays)).hexdigest()


def test_another_process_gives_the_same_samples():
    code = "from test_samples import digest; print(digest())"
    there = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])},
    )
    assert there.stdout.strip() == digest()


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_scale_of_a_patch_is_that_of_its_whole_corrupted_cloud(category):
    cloud = sphere(30_000)
    assert len(cloud) > DIRECT_POINTS
    corruption, rng = Corruption.protocol(category), np.random.default_rng(5)
    made = corruption.corrupt(cloud.pos, diagonal(cloud.pos), rng)
    scale = CachedCloud(cloud, (0, 0)).scale(made, corruption, rng)
    assert scale == pytest.approx(float(cloud_scale(torch.from_numpy(made.pos))[0]), rel=0.02)


@pytest.mark.parametrize("noise", [0.0002, 0.0009, 0.0035, 0.0095, 0.0138, 0.02])
def test_the_scale_between_measured_levels_is_right(noise):
    cloud, rng = sphere(30_000), np.random.default_rng(5)
    made = Corruption(noise).corrupt(cloud.pos, diagonal(cloud.pos), rng)
    scale = CachedCloud(cloud, (0, 0)).scale(made, Corruption(noise), rng)
    assert scale == pytest.approx(float(cloud_scale(torch.from_numpy(made.pos))[0]), rel=0.02)


@pytest.mark.parametrize("grid", [2, 20, 10**6])
def test_distinct_rows_are_the_first_of_equal_points(grid):
    pos = np.random.default_rng(grid).integers(0, grid, (3000, 3)).astype(np.float32)
    assert np.array_equal(distinct_rows(pos), np.sort(np.unique(pos, axis=0, return_index=True)[1]))


def test_duplicate_points_do_not_shrink_the_scale():
    pos = np.repeat(sphere(500).pos, 9, axis=0)
    expected = float(cloud_scale(torch.from_numpy(pos))[0])
    assert estimated_scale(pos, np.random.default_rng(0)) == pytest.approx(expected, rel=1e-5)
    assert estimated_scale(np.zeros((7, 3), np.float32), np.random.default_rng(0)) == 1.0


def sparse(count: int, labelled: int) -> Cloud:
    """A sphere of which the first `labelled` points have normals."""
    whole = sphere(count)
    return Cloud("sparse", whole.pos, np.where(np.arange(count)[:, None] < labelled, whole.normal, 0))


@pytest.mark.parametrize("patch_points", [300, WHOLE])
def test_unlabelled_points_are_in_a_patch_but_not_in_its_loss_mask(patch_points):
    made = TrainingSamples(
        [sparse(2000, 300)],
        12,
        patch_points,
        corruption=Corruption(0.01),
        seed=3,
        loss_share=0.5 if patch_points == 300 else 1.0,
    )
    labels = TrainingSamples([sphere(2000)], 12, patch_points, corruption=Corruption(0.01), seed=3)
    for item in range(12):
        data = made[item]
        known = (data.normal != 0).any(1)
        assert len(data.pos) == len(labels[item].pos)
        assert data.loss_mask.any()
        assert known[data.loss_mask].all()
        assert known[data.pos.norm(dim=1).argmin()]  # the centre
        assert patch_points == WHOLE or not known.all()
        if patch_points == WHOLE:
            assert torch.equal(data.loss_mask, known)


def test_a_sample_keeps_a_labelled_point_however_thin_it_gets():
    made = TrainingSamples(
        [sparse(500, 1)], 20, WHOLE, corruption=Corruption(density=Density(low=0.1, high=0.1, least=0.0))
    )
    assert [int(made[item].loss_mask.sum()) for item in range(20)] == [1] * 20


def test_validation_clouds_are_whole_and_centred():
    whole = ValidationClouds([sphere(2000)])
    assert len(whole) == 1
    assert whole[0].num_nodes == 2000
    assert whole[0].pos.mean(0).abs().max() < 1e-5
    assert whole[0].scale.item() == pytest.approx(float(cloud_scale(whole[0].pos)[0]), rel=1e-5)
    assert whole[0].loss_mask.all()
    partly = ValidationClouds([sparse(2000, 30)])[0]
    assert partly.num_nodes == 2000
    assert partly.loss_mask.nonzero()[:, 0].tolist() == list(range(30))


def test_clouds_of_different_sizes_make_a_batch():
    clouds = [sphere(50), sphere(120)]
    batch = next(iter(DataLoader(Subset(TrainingSamples(clouds, 20, 100), range(20)), batch_size=20)))
    assert set(batch.batch.bincount().tolist()) == {50, 100}
    assert batch.scale.shape == batch.oriented.shape == (20,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clouds": []}, "expected at least one cloud"),
        ({"length": 0}, "expected at least one cloud and one sample, got 1 and 0"),
        ({"patch_points": 0}, "expected patch_points >= 1, got 0"),
        ({"context": -1.0}, "expected context >= 0"),
        ({"patch_points": 500, "most_points": 400, "context": 1.0}, "most_points >= patch_points"),
        ({"loss_share": 0.0}, "expected loss_share in"),
    ],
)
def test_mistakes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TrainingSamples(**{"clouds": [sphere(10)], "length": 1, **change})


def test_clouds_without_normals_are_refused():
    for bare in (Cloud("bare", np.zeros((3, 3))), Cloud("bare", np.zeros((3, 3)), np.zeros((3, 3)))):
        with pytest.raises(UserError, match="expected normals to train on, got none for bare"):
            TrainingSamples([bare], 1)[0]
        with pytest.raises(UserError, match="expected rows with normals to validate on, got none for bare"):
            ValidationClouds([bare])[0]


def test_outliers_are_points_of_a_patch_that_the_loss_does_not_count():
    found, mix = 0, CorruptionMix({"outliers": 1.0}, others={"outliers": Outliers(share=0.1)})
    for index in range(10):
        data = TrainingSamples([sphere(2000)], 10, 300, corruption=mix)[index]
        unlabelled = (data.normal == 0).all(1)
        found += int(unlabelled.sum())
        assert not data.loss_mask[unlabelled].any()
        assert data.loss_mask.any()
        assert data.scale > 0
    assert found > 20


def test_the_scale_is_that_of_the_cloud_with_outliers_rounded_or_moved():
    cloud = sphere(30_000)
    coarse = Quantised(diagonal=0.004, by_spacing=0.0)
    for corruption in (Outliers(share=0.1), coarse, Misregistered(), DecadesDensity()):
        rng = np.random.default_rng(5)
        drawn = corruption.draw(rng)
        made = drawn.corrupt(cloud.pos, diagonal(cloud.pos), rng)
        scale = CachedCloud(cloud, (0, 0)).scale(made, drawn, rng)
        assert scale == pytest.approx(float(cloud_scale(torch.from_numpy(made.pos))[0]), rel=0.04)


def test_clouds_with_noise_of_their_own_are_left_alone():
    cloud = replace(sphere(400), category="depth_image")
    loud = CorruptionMix({"high_noise": 1.0})
    data = TrainingSamples([cloud], 10, WHOLE, corruption=loud)[0]
    assert float(data.noise) == 0
    assert data.num_nodes == 400
    apart = torch.cdist(data.pos, data.pos)
    assert torch.allclose(apart, torch.cdist(*[torch.from_numpy(cloud.pos)] * 2), atol=2e-3)
    assert float(TrainingSamples([sphere(400)], 10, WHOLE, corruption=loud)[0].noise) > 0
