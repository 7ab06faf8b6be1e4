"""``tensorframes export``: trained networks as files."""

import gc
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tensorframes.cli import checkpoint, exporting
from tensorframes.cli.exporting import training_of
from tensorframes.normals import ExportableEstimator, about, save_weights
from tensorframes.normals.weights import pretrained_path, recipe_of
from tensorframes.recipes import built
from tests.cli.commands import run_command

SMALL = {
    "_target_": "tensorframes.normals.NormalEstimator",
    "frames": {"_target_": "tensorframes.frames.LearnedFrames", "group": "o"},
    "backbone": {
        "_target_": "tensorframes.backbones.GIN",
        "widths": [8],
        "width": 8,
        "neighbours": 6,
        "radii": [],
    },
    "head": {"_target_": "tensorframes.normals.VectorHead", "_partial_": True},
    "oriented": True,
}
"""The recipe of a small network."""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_weights_of_the_package_are_written_as_they_are() -> None:
    ended = run_command("export", "fast", "copy.safetensors")
    copy, first = Path("copy.safetensors"), pretrained_path("fast")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"copy.safetensors: {copy.stat().st_size / 1e6:.2f} MB\n"
    assert (about(copy), recipe_of(copy)) == (about(first), recipe_of(first))
    expected = load_file(first)
    assert all(torch.equal(value, expected.pop(name)) for name, value in load_file(copy).items())
    assert not expected


def test_a_program_computes_what_its_network_does() -> None:
    estimator = built(SMALL)
    save_weights(estimator, SMALL, "small.safetensors", {})
    ended = run_command("export", "small.safetensors", "small.pt2")
    assert (ended.code, ended.err) == (0, "")
    network = ExportableEstimator(estimator)
    inputs = network.prepare(torch.randn(80, 3, generator=torch.Generator().manual_seed(0)))
    for found, expected in zip(torch.export.load("small.pt2").module()(inputs), network(inputs), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fast", "fast.onx"), "fast.onx: expected a name ending in .safetensors, .pt2, .onnx, got .onx"),
        (("fast", "fast"), "fast: expected a name ending in .safetensors, .pt2, .onnx, got none"),
        (("fast", "none/fast.pt2"), "none/fast.pt2: expected a folder {folder}/none, got none"),
        (("fast", "there.pt2"), "there.pt2: exists; --overwrite replaces it"),
        (("quick", "quick.pt2"), "expected the source to be a file or one of fast, best, got quick, which is none"),
        (
            ("none.ckpt", "quick.pt2"),
            "expected the source to be a file or one of fast, best, got none.ckpt, which is none",
        ),
        (("best", "best.pt2"), "expected a network whose head can be exported, as that of fast, got a PlaneFitHead"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_one_line_and_write_nothing(arguments: tuple[str, str], message: str, tmp_path: Path) -> None:
    Path("there.pt2").write_text("kept")
    ended = run_command("export", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"error: {message.format(folder=tmp_path)}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["there.pt2"]
    assert Path("there.pt2").read_text() == "kept"


def test_a_target_is_replaced_when_asked_to() -> None:
    Path("there.safetensors").write_text("old")
    assert run_command("export", "fast", "there.safetensors", "--overwrite").code == 0
    assert about("there.safetensors") == about(pretrained_path("fast"))


def test_trainings_that_followed_one_another_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {
        "first.ckpt": {"name": "fast", "seed": 3, "start_from": None},
        "second.ckpt": {"name": "confidence", "seed": 4, "start_from": "first.ckpt"},
        "tuned.ckpt": {"name": "mine", "seed": 5, "start_from": "fast"},
        "lost.ckpt": {"name": "mine", "seed": 5, "start_from": "gone.ckpt"},
    }
    contents = {name: {"global_step": 40, "tensorframes": {"config": config}} for name, config in runs.items()}
    monkeypatch.setattr(checkpoint, "read_checkpoint", lambda path: contents[str(path)])
    for name in runs:
        Path(name).touch()
    first, mine = {"experiment": "fast", "steps": 40, "seed": 3}, {"experiment": "mine", "steps": 40, "seed": 5}
    assert training_of("first.ckpt") == first
    assert training_of("second.ckpt") == {**first, "then": {"experiment": "confidence", "steps": 40, "seed": 4}}
    assert training_of("lost.ckpt") == {"start_from": "gone.ckpt", "then": mine}
    shipped, tuned = about(pretrained_path("fast")), training_of("tuned.ckpt")
    assert steps_of(tuned) == [*steps_of(shipped), mine]


def steps_of(about: dict[str, Any]) -> list[dict[str, Any]]:
    """The trainings that metadata name, in their order."""
    own = {key: value for key, value in about.items() if key != "then"}
    return [own, *(steps_of(about["then"]) if "then" in about else [])]


def test_a_network_that_torch_cannot_export_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    collected = []

    def refuse(*_: object, **__: object) -> None:
        collected.append(gc.isenabled())
        raise RuntimeError("a size that depends on data\nand many lines more")

    monkeypatch.setattr(torch.export, "export", refuse)
    ended = run_command("export", "fast", "fast.pt2")
    expected = "expected a network that torch can export, got one that it cannot: a size that depends on data"
    assert (ended.code, ended.err) == (2, f"error: {expected}\n")
    assert not list(Path().iterdir())
    assert (collected, gc.isenabled()) == ([False], True)  # off for the export alone, which would take longer


class Written:
    """What ``torch.onnx.export`` returns."""

    def save(self, path: Path) -> None:
        path.write_bytes(b"content")


def test_an_onnx_file_is_written_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "program", lambda estimator: "program")
    monkeypatch.setattr("tensorframes.normals.elementary", lambda program: program)
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: Written())
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    ended = run_command("export", "fast", "fast.onnx")
    assert (ended.code, ended.err) == (
        2,
        "error: expected onnxscript for ONNX, got none; pip install 'tensorframes[onnx]'\n",
    )
    assert not list(Path().iterdir())
    monkeypatch.setitem(sys.modules, "onnxscript", ModuleType("onnxscript"))
    assert run_command("export", "fast", "fast.onnx").out == "fast.onnx: 0.00 MB\n"
    assert [path.name for path in Path().iterdir()] == ["fast.onnx"]
    assert Path("fast.onnx").read_bytes() == b"content"
