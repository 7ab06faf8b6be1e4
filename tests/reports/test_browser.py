"""Pages of reports in a browser: what is drawn, and how views are turned."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from tensorframes.reports import write_normals_page
from tensorframes.reports.cloud_view import Colouring, Shown, cloud_view
from tensorframes.reports.page import slot, write_page
from tensorframes.reports.splats import View

pytestmark = pytest.mark.slow

TURNED = """\
<script>
const wait = (time) => new Promise((done) => setTimeout(done, time));
const told = [];
async function tell() {
  await wait(1500);
  const scenes = [...document.querySelectorAll(".scene")].map((each) => each._fullLayout.scene._scene.getCamera());
  told.push(scenes.map(({ eye, up }) => [eye.x, eye.y, eye.z, up.x, up.y, up.z]));
}
async function turn() {
  while (!document.body.dataset.drawn) await wait(100);
  const scene = document.querySelector(".scene");
  await tell();
  const wheel = new WheelEvent("wheel", { deltaY: -30, bubbles: true, cancelable: true });
  scene.querySelector("canvas").dispatchEvent(wheel);
  await tell();
  document.querySelectorAll(".controls button")[1].click();
  await tell();
  for (const key of ["ArrowLeft", "ArrowLeft", "ArrowUp", "-"]) {
    scene.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    await tell();
  }
  document.body.dataset.told = JSON.stringify(told);
}
turn();
</script>
"""


def ball(count: int) -> np.ndarray:
    pos = np.random.default_rng(0).normal(size=(count, 3))
    return pos / np.linalg.norm(pos, axis=1, keepdims=True)


def opened(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The page in a browser, its content on the standard output; skips the test where there is none."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no chromium")
    software = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
    how = ["--headless", "--enable-logging=stderr", "--virtual-time-budget=60000", "--dump-dom"]
    ended = subprocess.run(
        [browser, *software, *how, *options, page.as_uri()], capture_output=True, text=True, timeout=500
    )
    assert [line for line in ended.stderr.splitlines() if "CONSOLE" in line and "Uncaught" in line] == []
    return ended


def test_a_browser_draws_it(tmp_path: Path) -> None:
    done = {"file": "a" * 500 + ".ply"}  # wider than any window
    write_normals_page(tmp_path / "a.html", ball(3000), ball(3000), done, oriented=True)
    with (tmp_path / "a.html").open("a") as file:
        file.write("<script>document.body.dataset.fits = document.documentElement.scrollWidth <= innerWidth;</script>")
    ended = opened(tmp_path / "a.html", "--window-size=1000,900", f"--screenshot={tmp_path / 'a.png'}")
    assert 'data-drawn="yes"' in ended.stdout, ended.stderr[-2000:]
    assert 'data-fits="true"' in ended.stdout
    assert "modebar-btn" in ended.stdout.partition('id="angles"')[0]
    assert "modebar-btn" not in ended.stdout.partition('id="angles"')[2].partition("<script")[0]
    labels = re.findall(r'aria-label="([^"]*)"', ended.stdout)
    assert "3D view of the cloud: arrow keys turn it, plus and minus zoom" in labels
    assert [label for label in labels if "share" in label.lower() and not label.startswith("Histogram")] == []
    assert "Histogram: Neighbours with the same sign, share" in labels
    seen = imread(tmp_path / "a.png")[250:800, 200:800, :3]
    assert (np.ptp(seen, axis=2) > 0.3).mean() > 0.05  # a coloured ball on grey


def test_the_scenes_of_a_view_are_turned_together_and_stay_so(tmp_path: Path) -> None:
    values = [[np.zeros(300), np.ones(300)]] * 2
    colourings = [Colouring(name, range=(0.0, 1.0)) for name in ("one", "other")]
    view = cloud_view([Shown("a", ball(300), values, View(-35, 25, 2))], colourings, ["left", "right"])
    write_page(tmp_path / "a.html", "Turned", [slot("errors")], {"errors": view})
    with (tmp_path / "a.html").open("a") as file:
        file.write(TURNED)
    found = re.search(r'data-told="([^"]*)"', opened(tmp_path / "a.html", "--window-size=1000,900").stdout)
    assert found is not None
    cameras = np.array(json.loads(html.unescape(found.group(1))))  # step, scene, eye and up
    np.testing.assert_allclose(cameras[:, 0], cameras[:, 1], atol=1e-6)
    eye, up = cameras[:, 0, :3], cameras[:, 0, 3:]
    first, zoomed, recoloured, left, lefter, lower, farther = distance = np.linalg.norm(eye, axis=1)
    assert zoomed < 0.99 * first
    np.testing.assert_allclose(eye[2], eye[1], atol=1e-6)
    np.testing.assert_allclose([left, lefter, lower, farther / 1.2], recoloured, rtol=1e-6)
    cosines = (eye[5:] * eye[4:-1]).sum(1) / distance[5:] / distance[4:-1]
    np.testing.assert_allclose(cosines, [np.cos(np.radians(10)), 1], atol=1e-6)
    np.testing.assert_allclose(up[4], up[2], atol=1e-6)  # about the upward direction
    assert eye[5] @ up[4] < eye[4] @ up[4]
