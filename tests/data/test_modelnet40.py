"""ModelNet40 in both releases."""

import h5py
import numpy as np
import pytest

from tensorframes.data import ModelNet40, PCPNet
from tensorframes.errors import UserError


def _unit(rng, *shape):
    normal = rng.normal(size=(*shape, 3))
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


@pytest.fixture
def text(tmp_path):
    """Three classes, four training clouds of each, one test cloud of each."""
    rng, classes = np.random.default_rng(0), ["chair", "night_stand", "xbox"]
    lists = {"train": range(1, 5), "test": range(5, 6)}
    (tmp_path / "modelnet40_shape_names.txt").write_text("\n".join(classes))
    for split, numbers in lists.items():
        names = [f"{kind}_{number:04d}" for kind in classes for number in numbers]
        (tmp_path / f"modelnet40_{split}.txt").write_text("\r\n".join(names))
        for name in names:
            folder = tmp_path / name.rsplit("_", 1)[0]
            folder.mkdir(exist_ok=True)
            np.savetxt(folder / f"{name}.txt", np.c_[rng.normal(size=(5, 3)), _unit(rng, 5)], "%.6f", delimiter=",")
    return tmp_path


@pytest.fixture
def hdf5(tmp_path):
    """Two training files and one test file of three clouds each, named with the prefix of the original lists."""
    rng = np.random.default_rng(0)
    for split, numbers in {"train": (0, 1), "test": (0,)}.items():
        names = [f"ply_data_{split}{number}.h5" for number in numbers]
        lines = [f"data/modelnet40_ply_hdf5_2048/{name}" for name in names]
        (tmp_path / f"{split}_files.txt").write_text("\n".join(lines))
        for name in names:
            with h5py.File(tmp_path / name, "w") as store:
                store["data"] = rng.normal(size=(3, 6, 3)).astype("f4")
                store["normal"] = _unit(rng, 3, 6).astype("f4")
                store["label"] = np.array([[7], [0], [39]], "u1")
    return tmp_path


def test_text_release(text):
    data = ModelNet40(text, val_share=0.3)
    names = sorted(data.train.names + data.val.names)
    assert names == sorted((text / "modelnet40_train.txt").read_text().split())
    assert data.test.names == ["chair_0005", "night_stand_0005", "xbox_0005"]
    assert [cloud.label for cloud in data.test] == [0, 1, 2]
    values = np.loadtxt(text / "night_stand" / "night_stand_0005.txt", delimiter=",")
    np.testing.assert_array_equal(data.test[1].pos, values[:, :3].astype(np.float32))
    np.testing.assert_allclose(data.test[1].normal, values[:, 3:], atol=1e-6)


def test_hdf5_release(hdf5):
    data = ModelNet40(hdf5, source="hdf5", val_share=0)
    assert (len(data.train), len(data.val), len(data.test)) == (6, 0, 3)
    assert [cloud.label for cloud in data.train] == [7, 0, 39] * 2
    with h5py.File(hdf5 / "ply_data_train1.h5") as store:
        np.testing.assert_array_equal(data.train[5].pos, store["data"][2])
        np.testing.assert_allclose(data.train[5].normal, store["normal"][2], atol=1e-6)
    assert data.train[5].name == "ply_data_train1_0002"


@pytest.mark.parametrize("release", ["text", "hdf5"])
def test_validation_is_of_the_training_list_and_repeats(release, request):
    root = request.getfixturevalue(release)
    source = {"text": "txt"}.get(release, release)
    one, same, other = (ModelNet40(root, source, val_share=0.5, seed=seed) for seed in (0, 0, 1))
    assert one.val.names == same.val.names != other.val.names
    assert not set(one.val.names) & set(one.train.names)
    assert not set(one.val.names) & set(one.test.names)


def test_partial_copies(text, caplog):
    (text / "xbox" / "xbox_0003.txt").unlink()
    with pytest.raises(UserError, match=r"got 11 of the 12 files of the train list \(no xbox_0003.txt\); set "
                                        r"data.allow_partial=true"):  # fmt: skip
        _ = ModelNet40(text).train
    assert len(ModelNet40(text).test) == 3
    data = ModelNet40(text, allow_partial=True)
    assert len(data.train) + len(data.val) == 11
    assert "a partial copy, 11 of the 12 files of the train list" in caplog.text
    (text / "modelnet40_test.txt").write_text("chair_0099\n")
    with pytest.raises(UserError, match="got 0 of the 1 file "):
        _ = ModelNet40(text, allow_partial=True).test


def test_partial_hdf5(hdf5):
    (hdf5 / "ply_data_train0.h5").unlink()
    with pytest.raises(UserError, match="got 1 of the 2 files of the train list"):
        _ = ModelNet40(hdf5, "hdf5").train
    assert len(ModelNet40(hdf5, "hdf5", allow_partial=True, val_share=0).train) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1,2,3\n", "chair_0005.txt, line 1: expected 6 columns, got 3"),
        ("1,2,3,0,0,1\n1,2,3,0,1\n", "chair_0005.txt, line 2: expected 6 columns as above, got 5"),
        ("", "chair_0005.txt: expected points, got an empty file"),
        ("1,2,3,0,0,one\n", "chair_0005.txt, line 1: expected numbers"),
    ],
)
def test_wrong_rows_are_named(text, content, message):
    (text / "chair" / "chair_0005.txt").write_text(content)
    with pytest.raises(UserError, match=message):
        _ = ModelNet40(text).test


@pytest.mark.parametrize(
    ("key", "values", "message"),
    [
        ("label", np.array([b"a", b"b", b"c"]), r"expected numbers as label, got \|S1"),
        ("label", np.array([0.5, np.nan, 1]), "expected integers as label, got 0.5"),
        ("data", np.full((3, 6, 3), b"1"), r"expected numbers as data, got \|S1"),
        ("normal", np.ones((3, 6, 3), complex), "expected numbers as normal, got complex128"),
    ],
    ids=["text labels", "broken labels", "text", "complex"],
)
def test_arrays_of_another_type_are_named(hdf5, key, values, message):
    with h5py.File(hdf5 / "ply_data_test0.h5", "a") as store:
        del store[key]
        store[key] = values
    with pytest.raises(UserError, match=rf"ply_data_test0\.h5: {message}"):
        _ = ModelNet40(hdf5, "hdf5").test


@pytest.mark.parametrize("share", [-0.1, 1.0, np.nan])
def test_a_share_for_validation_that_is_none_is_told(text, share):
    for kind in (ModelNet40, PCPNet):
        with pytest.raises(UserError, match=f"expected data.val_share of at least 0 and below 1, got {share}"):
            kind(text, val_share=share)


def test_unknown_classes_and_sources(text):
    (text / "modelnet40_test.txt").write_text("couch_0001\n")
    with pytest.raises(UserError, match=r"expected classes of modelnet40_shape_names\.txt, got couch_0001"):
        _ = ModelNet40(text).test
    with pytest.raises(UserError, match="expected one of txt, hdf5, got ply"):
        ModelNet40(text, source="ply")


@pytest.mark.parametrize("fault", ["no normal", "fewer normals", "junk"])
def test_wrong_hdf5_files_are_named(hdf5, fault):
    file = hdf5 / "ply_data_test0.h5"
    if fault == "junk":
        file.write_bytes(b"junk")
    else:
        with h5py.File(file, "a") as store:
            normal = store["normal"][()]
            del store["normal"]
            if fault == "fewer normals":
                store["normal"] = normal[:, :5]
    with pytest.raises(UserError, match=r"ply_data_test0.h5: expected") as caught:
        _ = ModelNet40(hdf5, "hdf5").test
    assert "\n" not in str(caught.value)
