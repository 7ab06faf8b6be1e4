"""``tensorframes normals``: mistakes, interrupts and a full disk are one line, and change nothing."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from tests.cli.test_normals import COMMAND, run, sphere

NO_OPTION = "expected an option (--help lists them) or a file"


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal that POSIX's processes send")
@pytest.mark.parametrize("moment", ["libraries load", "it reads"])
def test_ctrl_c_is_one_line_and_changes_nothing(tmp_path: Path, moment: str) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere(60))
    os.mkfifo(tmp_path / "b.xyz")  # the source: the program waits for what comes through it
    before = (tmp_path / "a.xyz").read_bytes()
    told_of = ["-X", "importtime"] if moment == "libraries load" else []
    command = [sys.executable, *told_of, *COMMAND[1:], str(tmp_path / "b.xyz"), str(tmp_path / "a.xyz")]
    command.append("--overwrite")
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    assert process.stderr is not None
    if moment == "libraries load":
        while "torch" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    else:
        stopper = Thread(target=interrupt, args=(process, tmp_path / "b.xyz"))
        stopper.start()
        out, err = process.communicate(timeout=120)
        stopper.join()
    told = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert (process.returncode, out, len(told)) == (130, "", 1)
    assert told[0].startswith("interrupted")
    assert (tmp_path / "a.xyz").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.xyz", "b.xyz"]


def heed_interrupts() -> None:
    """A job that a shell runs in the background, as tests may be, ignores Ctrl-C, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(process: subprocess.Popen, pipe: Path) -> None:
    """Ctrl-C as soon as the program reads from the pipe, which stays open until it has ended."""
    with pipe.open("wb"):
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
def test_a_full_disk_is_one_line_and_changes_nothing(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "a.xyz", sphere())
    before = (tmp_path / "a.xyz").read_bytes()
    command = [*COMMAND, *[str(tmp_path / "a.xyz")] * 2, "--overwrite", "--weights", "fast"]
    done = subprocess.run(["bash", "-c", f"ulimit -f 4; exec {shlex.join(command)}"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {tmp_path / 'a.xyz'}: can't be written: File too large\n"
    assert (tmp_path / "a.xyz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.xyz"]


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "flat.xyz", np.zeros((3, 2)))
    np.savetxt(tmp_path / "scan.xyz", sphere())
    (tmp_path / "link.xyz").symlink_to("scan.xyz")
    (tmp_path / "nowhere.xyz").symlink_to("none.xyz")
    (tmp_path / "page.html").touch()
    for arguments, message in {
        ("none.ply", "out.ply"): "none.ply",
        (tmp_path / "flat.xyz", tmp_path / "out.xyz"): "expected at least 3 columns",
        (tmp_path / "scan.xyz", tmp_path / "out.doc"): "expected a file of type",
        ("none.ply", tmp_path / "none" / "out.ply"): f"expected a folder {tmp_path / 'none'}, got none",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--weights", "worst"): "worst",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--device", "abacus"): "abacus",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--block", "99"): "expected --block >= 100, got 99",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--orient", "inward"): "expected --orient none, viewpoint X,Y,Z",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--orient", "viewpoint", "1,2"): "got 'viewpoint 1,2'",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--orient", "viewpoint"): "got 'viewpoint'",
        (tmp_path / "scan.xyz", tmp_path / "out.stl"): "an STL file has no place for normals of points; choose .ply",
        (tmp_path / "scan.xyz", tmp_path / "out.ply", "--to", "stl"): "an STL file has no place",
        (tmp_path / "scan.xyz", "-", "--to", "doc"): "standard output: expected a file of type",
        (tmp_path / "scan.xyz", tmp_path / "out.h5:cloud"): "expected a file to write, got its dataset cloud",
        (tmp_path / "scan.xyz", tmp_path / "scan.xyz"): "scan.xyz: is the source; --overwrite replaces it",
        (tmp_path / "scan.xyz", tmp_path / "flat.xyz"): "flat.xyz: exists; --overwrite replaces it",
        (tmp_path / "scan.xyz", tmp_path / "nowhere.xyz"): "nowhere.xyz: exists; --overwrite replaces it",
        (tmp_path / "scan.xyz", tmp_path / "link.xyz"): "link.xyz: is the source; --overwrite replaces it",
        (
            tmp_path / "scan.xyz",
            tmp_path / "out.ply",
            "--report",
            "a.pdf",
        ): "expected a report of type .html, got a.pdf",
        (
            tmp_path / "scan.xyz",
            tmp_path / "out.ply",
            "--report",
            tmp_path / "page.html",
        ): "page.html: exists; --overwrite replaces it",
        (
            tmp_path / "scan.xyz",
            tmp_path / "new.html",
            "--to",
            "ply",
            "--report",
            f"{tmp_path}/./new.html",
        ): "new.html: expected another file for the report, got the target",
        (
            tmp_path / "page.html",
            tmp_path / "out.ply",
            *("--from", "xyz", "--overwrite", "--report", tmp_path / "page.html"),
        ): "page.html: expected another file for the report, got the source",
        (tmp_path / "scan.xyz",): "the following arguments are required: target",
    }.items():
        code, out, err = run(*arguments)
        assert (code, out) == (2, ""), arguments
        assert message in err
        assert err.startswith("error: ")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("normals", "none.ply", "out.ply"), "none.ply: expected a readable file, got: No such file or directory"),
        (("normals", "a.xyz", "b.xyz"), "b.xyz: exists; --overwrite replaces it"),
        (("normals", "a.xyz", "out.doc"), "out.doc: expected a file of type"),
        (("normals", "a.xyz", "out.ply", "--block", "9"), "expected --block >= 100, got 9"),
        (("normals", "a.xyz", "out.ply", "--orient", "in"), "expected --orient none, viewpoint"),
        (("normals", "a.xyz", "out.ply", "--report", "b.xyz"), "b.xyz: exists; --overwrite replaces it"),
        (("normals", "-dash.xyz", "out.xyz"), f"{NO_OPTION}, got -dash.xyz; a file: .{os.sep}-dash.xyz\n"),
        (("normals", "a.xyz", "--dash.xyz"), f"{NO_OPTION}, got --dash.xyz; a file: "),
        (("normals", "a.xyz", "out.xyz", "--report", "-r.html"), f"{NO_OPTION}, got -r.html; a file: "),
        (("normals", "a.xyz", "b.xyz", "--overwrit=1"), "argument --overwrite: ignored explicit argument"),
        (("normals", "a.xyz", "out.xyz", "--block", "-5"), "expected --block >= 100, got -5"),
        (("normals", "-1.xyz", "out.xyz"), f"{NO_OPTION}, got -1.xyz; a file: "),
        (("normals", "- 1.xyz", "out.xyz"), "- 1.xyz: expected a readable file"),
        (("compare", "-run"), f"{NO_OPTION}, got -run; a file: "),
        (("export", "fast", "-b.pt2"), f"{NO_OPTION}, got -b.pt2; a file: "),
        (("export", "fast", "b.doc"), "b.doc: expected a name ending in"),
        (("export", "fast", "b.pt2"), "b.pt2: exists; --overwrite replaces it"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_that_need_no_torch_are_told_without_it(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    for name in ("a.xyz", "b.xyz", "b.pt2"):
        (tmp_path / name).write_text("0 0 0\n")
    code = "import sys; sys.modules['torch'] = None; from tensorframes.cli.main import main; sys.exit(main())"
    ended = subprocess.run([sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), ended.stderr
    assert ended.stderr.startswith(f"error: {message}")
