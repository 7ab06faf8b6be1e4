"""Tables of runs: which numbers stand where, and what the script refuses."""

import json
from pathlib import Path

from tests.cli.commands import Ended, run_script

SHARES = {"5": 0.4, "10": 0.7, "15": 0.8, "20": 0.9, "25": 0.95, "30": 1.0}


def run(*arguments: object) -> Ended:
    return run_script("compare_runs", *arguments)


def written(path: Path, clean: float, noisy: float) -> Path:
    clouds = {
        "a": {"rmse": clean, "category": "no_noise"},
        "b": {"rmse": clean + 2, "category": "no_noise"},
        "c": {"rmse": noisy, "category": "high_noise"},
    }
    shares = {name: {"pgp": SHARES} for name in ("no_noise", "high_noise")}
    path.write_text(json.dumps({"per_cloud": clouds, "per_category": shares}))
    return path


def test_means_ratios_and_clouds(tmp_path: Path) -> None:
    (tmp_path / "others.csv").write_text(
        "cloud,category,first,first_seconds\na,no_noise,8,1\nb,no_noise,8,1\nc,high_noise,20,1\n"
    )
    mine = written(tmp_path / "mine.json", 3.0, 10.0)
    picture = tmp_path / "new" / "pgp.png"
    done = run(f"mine={mine}", "--csv", tmp_path / "others.csv", "--pgp", picture)
    assert done.code == 0, done.err
    assert "| mine | 4.00 | 10.00 | 7.00 |" in done.out
    assert "| mine | 0.500 | 0.500 | 0.500 | 0.500 |" in done.out
    assert "| b | 5.00 | 8.00 |" in done.out
    assert picture.stat().st_size > 1000


def test_categories_beside_the_protocols_have_their_columns(tmp_path: Path) -> None:
    file = written(tmp_path / "mine.json", 3.0, 10.0)
    file.write_text(file.read_text().replace("high_noise", "depth_image"))
    done = run(f"mine={file}")
    assert done.code == 0, done.err
    assert "| method | no_noise | depth_image | mean |" in done.out
    assert "| mine | 4.00 | 10.00 | 7.00 |" in done.out


def test_mistakes_end_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "others.csv").write_text("cloud,category,first\na,no_noise,8\n")
    mine = written(tmp_path / "mine.json", 3.0, 10.0)
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps({"per_cloud": json.loads(mine.read_text())["per_cloud"]}))
    unwritable = (f"mine={mine}", "--pgp", mine / "pgp.png")
    without = (f"mine={bare}", "--pgp", tmp_path / "pgp.png")
    for arguments in (
        unwritable,
        without,
        (mine,),
        (f"mine={tmp_path / 'none.json'}",),
        (f"mine={mine}", "--csv", tmp_path / "others.csv"),
    ):
        done = run(*arguments)
        assert done.code != 0
        assert "Traceback" not in done.err
        assert "expected" in done.err.strip().splitlines()[-1]
