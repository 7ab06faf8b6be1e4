"""Shards: the clouds of a dataset come back, and samples do not depend on who reads them."""

import pickle
import resource
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tensorframes.data import Cloud, ShardedClouds, Shards, TrainingSamples, write_shards
from tensorframes.errors import UserError
from tensorframes.training import CloudDataModule
from tensorframes.training.data import CountedBatches

COUNT, SHARDS = 21, 8


def cloud(number: int) -> Cloud:
    """A cloud unlike all others, with an unlabelled point."""
    rng = np.random.default_rng(number)
    normal = np.eye(3)[rng.integers(3, size=20 + number)]
    normal[3] = 0
    label = None if number % 2 else number
    return Cloud(
        f"in/ä_{number}", rng.normal(size=(20 + number, 3)), normal, number % 3 > 0, [0, 3, 7], "low_noise", label
    )


CLOUDS = [cloud(number) for number in range(COUNT)]


@pytest.fixture
def sharded(tmp_path: Path) -> ShardedClouds:
    write_shards(CLOUDS, tmp_path, "train", SHARDS)
    return Shards(tmp_path).train


def test_clouds_come_back_in_their_order(sharded: ShardedClouds) -> None:
    assert (len(sharded), sharded.shards, len(Shards(sharded.files[0].parent).val)) == (COUNT, SHARDS, 0)
    for found, given in zip(sharded, CLOUDS, strict=True):
        for key in ("name", "oriented", "category", "label"):
            assert getattr(found, key) == getattr(given, key)
        for key in ("pos", "normal", "eval_index"):
            np.testing.assert_array_equal(getattr(found, key), getattr(given, key))
    assert sharded[-1].name == CLOUDS[-1].name
    assert [each.name for each in sharded[5:9]] == [each.name for each in CLOUDS[5:9]]
    with pytest.raises(IndexError):
        sharded[COUNT]


def test_samples_are_the_same_whatever_the_number_of_processes(sharded: ShardedClouds) -> None:
    sharded[0]  # opened before the loader forks
    samples = TrainingSamples(pickle.loads(pickle.dumps(sharded)), 40, patch_points=8)
    batches = []
    for workers in (0, 2):
        drawn = iter(CloudDataModule(samples, [], 4, workers).train_dataloader())
        batches.append([next(drawn).pos for _ in range(3)])
    for alone, beside in zip(*batches, strict=True):
        assert torch.equal(alone, beside)


def test_each_rank_and_each_process_reads_its_own_shards(
    sharded: ShardedClouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, read = TrainingSamples(sharded, 1000, patch_points=8, cached_points=0), []
    monkeypatch.setattr(ShardedClouds, "__getitem__", lambda clouds, index: read.append(index) or CLOUDS[index])
    batch_size, ranks, workers = 4, 2, 2  # eight shards are batch_size * workers
    seen: dict[tuple[int, int], set[int]] = {}
    for rank in range(ranks):
        for number, batch in zip(range(24), CountedBatches(batch_size, 0, rank, ranks), strict=False):
            read.clear()
            [samples[index] for index in batch]
            seen.setdefault((rank, number % workers), set()).update(index % SHARDS for index in read)
    assert sorted(shard for shards in seen.values() for shard in shards) == list(range(SHARDS))


def test_all_clouds_are_drawn(sharded: ShardedClouds) -> None:
    samples = TrainingSamples(sharded, 10_000, patch_points=8)
    drawn = [samples._drawn(index, np.random.default_rng(index)) for index in range(600)]
    assert set(drawn) == set(range(COUNT))


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    files = write_shards(CLOUDS, tmp_path, "val", 3)
    before = files[0].stat().st_mtime_ns
    files[1].unlink()
    with pytest.raises(UserError, match="expected 3 shards of val, got 2"):
        _ = Shards(tmp_path).val
    write_shards(CLOUDS, tmp_path, "val", 3)
    assert files[0].stat().st_mtime_ns == before
    assert len(Shards(tmp_path).val) == COUNT


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected shards, got none; tensorframes shards writes them"):
        _ = Shards(tmp_path).train
    with pytest.raises(UserError, match="expected normals in every cloud of a shard, got none for bare"):
        write_shards([Cloud("bare", np.zeros((4, 3)))], tmp_path, "train", 1)
    with pytest.raises(UserError, match="at least one shard of at least one cloud for test, got 0"):
        write_shards([], tmp_path, "test", 4)
    (file,) = write_shards(CLOUDS[:1], tmp_path, "train", 4)
    with pytest.raises(UserError, match=r"expected no other shards of train, got train-00000-of-00001\.h5"):
        write_shards(CLOUDS, tmp_path, "train", 2)
    file.write_bytes(b"no HDF5")
    with pytest.raises(UserError, match=r"train-00000-of-00001\.h5: expected a shard, got"):
        Shards(tmp_path).train[0]


def test_a_truncated_shard_is_named(tmp_path: Path) -> None:
    (file,) = write_shards(CLOUDS[:2], tmp_path, "train", 1)
    clouds = Shards(tmp_path).train
    assert (len(clouds), clouds[0].name) == (2, CLOUDS[0].name)
    file.write_bytes(b"")
    with pytest.raises(UserError, match="expected 123 elements of pos, got 60"):
        clouds[1]


def test_shards_of_another_dataset_are_not_kept(tmp_path: Path) -> None:
    write_shards(CLOUDS[:6], tmp_path, "train", 2)
    same_names = [replace(cloud, pos=cloud.pos + 1) for cloud in CLOUDS[:6]]
    for others in (same_names, [*CLOUDS[:1], *CLOUDS[7:12]]):
        with pytest.raises(
            UserError, match=r"expected a shard of these clouds, got one that begins with another cloud"
        ):
            write_shards(others, tmp_path, "train", 2)
    (tmp_path / "train-00000-of-00002.h5").unlink()
    with pytest.raises(UserError, match="expected a shard of 4 of these 9, got 3 of 6 clouds; delete the folder first"):
        write_shards(CLOUDS[:9], tmp_path, "train", 2)


def test_shards_of_two_datasets_are_not_read(tmp_path: Path) -> None:
    for folder, count in (("a", 4), ("b", 9)):
        write_shards(CLOUDS[:count], tmp_path / folder, "train", 2)
    shutil.copy(tmp_path / "b" / "train-00001-of-00002.h5", tmp_path / "a")
    with pytest.raises(UserError, match=r"expected 2 of 4 clouds, as train-00000-of-00002.h5 has it, got 4 of 9"):
        len(Shards(tmp_path / "a").train)


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limit[1]))
    try:
        with pytest.raises(UserError, match=r"train-0.*h5: the shard can't be written \(File too large\)$"):
            write_shards(CLOUDS, tmp_path, "train", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert list(tmp_path.iterdir()) == []
