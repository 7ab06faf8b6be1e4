"""``tensorframes normals`` on the standard input and output."""

import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tensorframes.cli.main import run
from tensorframes.cli.normals import main
from tensorframes.data import read_cloud, write_cloud
from tensorframes.errors import UserError
from tensorframes.reports.others import read_scores
from tensorframes.scoring import published_rmse
from tests.cli.test_normals import COMMAND, DOUBT, FEW, sphere


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")
def test_the_standard_output_gets_the_points_alone(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere(60))
    command = [*COMMAND, tmp_path / "a.xyz", "/dev/stdout", "--weights", "fast"]
    with (tmp_path / "b").open("wb") as file:
        told = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=True).stderr
    assert re.fullmatch(rf"/dev/stdout: normals of 60 points in \d+\.\d s{DOUBT}{FEW}\n", told)
    assert np.loadtxt(tmp_path / "b").shape == (60, 6)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_or_closed_standard_stream_is_one_line(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere(60))
    for given, message in (
        ("a.xyz - > /dev/full", "error: standard output: can't be written: No space left on device\n"),
        ("a.xyz - >&-", "error: standard output: can't be written: it is closed\n"),
        ("- b.ply <&-", "error: standard input: expected points, got none\n"),
        ("a.xyz b.ply > /dev/full", "error: standard output: can't be written: No space left on device\n"),
    ):
        line = f"{shlex.join(COMMAND)} --weights fast {given}"
        done = subprocess.run(["bash", "-c", line], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        told = done.stderr[done.stderr.find("error:") :]
        assert (done.returncode, told) == (2, message), given
        assert "Traceback" not in done.stderr
    line = f"{shlex.join(COMMAND)} --weights fast a.xyz c.ply >&-"
    assert subprocess.run(["bash", "-c", line], cwd=tmp_path, stderr=subprocess.PIPE).returncode == 0
    assert len(read_cloud(tmp_path / "c.ply").pos) == 60


def test_a_closed_standard_error_loses_neither_the_result_nor_the_code(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere(60))
    for given, code in (("a.xyz b.ply", 0), ("none.xyz -", 2)):
        line = f"{shlex.join(COMMAND)} --weights fast {given} 2>&-"
        done = subprocess.run(["bash", "-c", line], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        assert (done.returncode, "error:" in done.stdout) == (code, False), given
    assert len(read_cloud(tmp_path / "b.ply").pos) == 60


@pytest.mark.skipif(os.name != "posix", reason="elsewhere names of files are text")
@pytest.mark.parametrize(
    ("encoding", "name", "told"),
    [("utf-8", "caf\udce9.xyz", r"caf\udce9.xyz"), ("cp1252", "\u70b9\u4e91.xyz", r"\u70b9\u4e91.xyz")],
)
def test_names_that_no_encoding_has_are_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, name: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savetxt("a.xyz", sphere(60))
    for arguments, code, line in (
        (["a.xyz", name], 0, f"{told}: normals of 60 points"),
        (["a.xyz", name], 2, f"error: {told}: exists"),
        ([name, "-"], 0, "standard output: normals of 60 points"),
    ):
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding, errors="strict") for _ in range(2))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            try:
                ended = run("normals", ["--device", "cpu", *arguments])
            except SystemExit as stopped:
                ended = stopped.code
            out.flush()
            err.flush()
        assert ended == code
        assert line in (out.buffer.getvalue() + err.buffer.getvalue()).decode(encoding)
    points = np.loadtxt(io.BytesIO(out.buffer.getvalue()))
    np.testing.assert_array_equal(points, np.loadtxt(name))


class Stream(io.TextIOWrapper):
    """A standard stream of bytes."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__(io.BytesIO(content))


def piped(monkeypatch: pytest.MonkeyPatch, content: bytes, *arguments: str) -> tuple[int, bytes, str]:
    """As ``run``, with bytes on the standard input and output."""
    given, out, err = Stream(content), Stream(), io.StringIO()
    for name, stream in {"stdin": given, "stdout": out, "stderr": err}.items():
        monkeypatch.setattr(sys, name, stream)
    try:
        code = main(["--weights", "fast", "--device", "cpu", *arguments])
    except SystemExit as ended:
        code = int(str(ended.code))
    monkeypatch.undo()
    out.flush()
    return code, out.buffer.getvalue(), err.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("suffix", "options", "written"),
    [
        (".ply", (), ".ply"),
        (".xyz", (), ".xyz"),
        (".npy", ("--to", "las"), ".las"),
        (".csv", ("--from", "CSV", "--to", ".obj"), ".obj"),
    ],
)
def test_standard_input_and_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, options: tuple[str, ...], written: str
) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere(60))
    write_cloud(tmp_path / f"b{suffix}", read_cloud(tmp_path / "a.xyz"))
    code, out, err = piped(monkeypatch, (tmp_path / f"b{suffix}").read_bytes(), "-", "-", *options)
    assert code == 0
    assert re.fullmatch(
        rf"standard output: normals of 60 points in \d+\.\d s{DOUBT}{FEW}\n",
        err,
    )
    (tmp_path / f"c{written}").write_bytes(out)
    found = read_cloud(tmp_path / f"c{written}")
    np.testing.assert_allclose(found.pos, sphere(60), rtol=0, atol=1e-4)
    assert found.normal is not None


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="needs /dev/null")
def test_a_device_is_no_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # /dev/null, as /dev/zero would be read without end where the test fails.
    (tmp_path / "link.xyz").symlink_to("/dev/null")
    with open("/dev/null", encoding="utf-8") as device:
        monkeypatch.setattr(sys, "stdin", device)
        for source, name in (("/dev/null", "/dev/null"), (str(tmp_path / "link.xyz"), None), ("-", "standard input")):
            with pytest.raises(SystemExit) as ended:
                main([source, str(tmp_path / "a.xyz")])
            expected = f"error: {name or source}: expected a file or a pipe, got a device\n"
            assert (ended.value.code, capsys.readouterr().err) == (2, expected)
    with pytest.raises(UserError, match=r"^/dev/null: expected a file or a pipe, got a device$"):
        read_cloud("/dev/null", ".xyz")
    for read in (read_scores, published_rmse):
        with pytest.raises(UserError, match=r"^/dev/null: expected a file or a pipe, got a device$"):
            read(Path("/dev/null"))


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs terminals")
def test_a_terminal_at_the_standard_input_has_an_end() -> None:
    keyboard, terminal = os.openpty()
    code = "import sys; from pathlib import Path; from tensorframes.data.io.files import expect_end; "
    code += "expect_end(Path('/dev/stdin')); expect_end(0)"
    assert subprocess.run([sys.executable, "-c", code], stdin=terminal).returncode == 0
    os.close(keyboard)
    os.close(terminal)


def test_wrong_standard_input_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for content, options, message in (
        (b" ", (), "standard input: expected points, got none"),
        (b"1 2 x\n", (), "standard input, line 1: expected numbers"),
        (b"1 2 3\n", ("--from", "ply"), "expected a PLY file"),
        (
            b"solid\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendsolid\n",
            (),
            "standard output: an STL file has no place for normals of points; choose .ply or .obj (--to ply)",
        ),
        (b"\x1f\x8b\x08\x00", (), "standard input: expected a file of points, got a gzip file: unpack it first"),
        (b"1 2\0", (), "got a binary file of an unknown format: --from KIND tells it"),
    ):
        code, out, err = piped(monkeypatch, content, "-", "-", *options)
        assert (code, out, err.count("\n")) == (2, b"", 1)
        assert message in err
