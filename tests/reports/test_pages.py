"""Pages of reports: whole without a network, drawn from the data they hold; looked at by eye when they change."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tensorframes.data import Cloud
from tensorframes.errors import UserError
from tensorframes.reports import expect_page, write_evaluation_page, write_normals_page
from tensorframes.reports.cloud_view import HALF, SEED, Shown, histogram, thinned
from tensorframes.reports.evaluation_page import worst, worst_rotated
from tensorframes.reports.normals_page import agreement_of
from tensorframes.reports.splats import View
from tensorframes.scoring import PCA, confidence_scores, score, score_rotated
from tests.reports.pages import Page, unpacked

AT = np.array([4e5, 5e6, 100.0])
ODD = "</script><b>&.ply"


def ball(count: int = 400) -> np.ndarray:
    pos = np.random.default_rng(0).normal(size=(count, 3))
    return pos / np.linalg.norm(pos, axis=1, keepdims=True)


def clouds() -> list[Cloud]:
    pos = ball()
    noise = np.random.default_rng(1).normal(size=pos.shape)
    noisy = [("a<b>", 0.0, "no_noise"), ("b", 0.2, "no_noise"), ("c", 0.1, "med_noise"), ("d", 0.02, "med_noise")]
    return [Cloud(name, pos + size * noise, pos.astype("f4"), category=kind) for name, size, kind in noisy]


@pytest.fixture
def page(tmp_path: Path) -> Page:
    """The page of an oriented ball far from the origin: three points have no normal, one of them is not finite."""
    pos, normals = ball() + AT, ball()
    pos[0], normals[:3] = np.nan, 0
    write_normals_page(tmp_path / "a.html", pos, normals, {"file": ODD, "seconds": "3"}, True, np.full(400, 7.0))
    return Page(tmp_path / "a.html")


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    assert [name for name in page.loaded if not name.startswith("data:")] == []
    assert page.policy.startswith("default-src 'none'")
    assert "http" not in page.policy


def test_names_are_text(page: Page) -> None:
    assert page.text.count(f"Normals of {ODD}") == 2  # in the title and at the top
    assert "b" not in [tag for tag, _ in page.open]
    assert "all 399 points" in page.text
    assert "the 397 drawn points with a normal" in page.text


def test_a_name_may_be_no_utf_8(tmp_path: Path) -> None:
    write_normals_page(tmp_path / "a.html", ball(), ball(), {"file": os.fsdecode(b"Gr\xfcn.ply")})
    assert r"Normals of Gr\udcfcn.ply" in Page(tmp_path / "a.html").text


def test_the_drawn_points_are_those_of_the_cloud(page: Page) -> None:
    assert set(page.drawings) <= set(page.ids)
    (shown,) = page.drawings["cloud"]["clouds"]
    pos = np.stack([unpacked(axis) for axis in shown["pos"]], axis=1)
    assert len(pos) == 399
    assert pos - pos[0] == pytest.approx((ball()[1:] - ball()[1]) / np.ptp(ball()[1:], axis=0).max() * 2, abs=1e-6)


def test_colours_are_of_normal_confidence_and_signs(page: Page) -> None:
    view = page.drawings["cloud"]
    assert [each["name"] for each in view["colourings"]] == ["normal", "confidence", "consistency of signs"]
    normal, confidence, signs = view["clouds"][0]["colours"][0]
    assert unpacked(normal, "u1").reshape(-1, 3)[2:] == pytest.approx((ball()[3:] + 1) / 2 * 255, abs=0.51)
    assert np.isnan(unpacked(confidence)[:2]).all()  # no normal: no colour
    assert (unpacked(confidence)[2:] == 7).all()
    assert (unpacked(signs)[2:] == 1).all()
    assert sum(page.drawings["confidence"]["counts"]) == 397


def test_arbitrary_signs_do_not_colour(tmp_path: Path) -> None:
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(400, 1))
    for name, normals in (("a", ball()), ("b", ball() * signs)):
        write_normals_page(tmp_path / f"{name}.html", ball(), normals, {})
    first, second = (Page(tmp_path / f"{name}.html").drawings for name in ("a", "b"))
    assert [each["name"] for each in first["cloud"]["colourings"]] == ["normal", "consistency of signs"]
    colour, other = (each["cloud"]["clouds"][0]["colours"][0] for each in (first, second))
    assert colour[0] == other[0]
    assert unpacked(other[1]).mean() < 0.7 < unpacked(colour[1]).min()
    assert first["angles"] == second["angles"]


def test_tensors_and_rows_that_are_not_finite(tmp_path: Path) -> None:
    pos, normals = torch.from_numpy(ball()), torch.from_numpy(ball())
    pos[3], normals[4] = torch.nan, torch.nan
    write_normals_page(tmp_path / "a.html", pos, normals, {"points": len(pos)}, True, torch.ones(len(pos)))
    page = Page(tmp_path / "a.html")
    degrees = unpacked(page.drawings["cloud"]["clouds"][0]["colours"][0][1])
    assert (len(degrees), int(np.isnan(degrees).sum())) == (len(pos) - 1, 1)


def test_shapes_that_do_not_fit_are_told(tmp_path: Path) -> None:
    for given, message in (
        ((ball(), ball()[:5], {}), r"expected normals of \d+ points, got 5"),
        ((ball().T, ball(), {}), r"expected points \(N, 3\) of numbers"),
        ((ball(), ball(), {}, False, np.ones(5)), r"expected expected_degrees \(400,\) of numbers, got shape \(5,\)"),
        ((ball(), ball(), {}, False, np.ones((400, 1))), r"expected expected_degrees .*, got shape \(400, 1\)"),
        ((ball(), ball(), {}, False, ["high"] * 400), r"expected expected_degrees .*, got shape \(400,\) of <U4"),
        ((ball(), ball(), {}, False, 3.0), r"expected expected_degrees .*, got float"),
    ):
        with pytest.raises(ValueError, match=message):
            write_normals_page(tmp_path / "a.html", *given)


def test_agreement_with_the_neighbours() -> None:
    grid = np.stack(np.meshgrid(np.arange(9.0), np.arange(9.0)), axis=-1).reshape(-1, 2)
    points = np.column_stack([grid, np.zeros(81)]) * 0.5 + AT
    normals = np.tile([0.0, 0, 1], (81, 1))
    normals[40] *= -1
    points[80], normals[80] = points[79], 0  # a double without a normal is nobody's neighbour
    found = agreement_of(points, normals, np.array([40, 41, 0]))
    assert found.same_sign == pytest.approx([0, 11 / 12, 1])
    assert found.angle == pytest.approx([0, 0, 0])
    assert found.spacing == pytest.approx([0.5, 0.5, 0.5])


@pytest.mark.parametrize("sides", [(1, 1, 1), (100, 100, 5), (1000, 40, 3), (1, 1, 40), (0, 0, 0)], ids=str)
@pytest.mark.parametrize("panels", [1, 2])
def test_all_of_a_cloud_is_seen_at_first(sides: tuple[int, int, int], panels: int) -> None:
    pos = np.random.default_rng(0).uniform(-0.5, 0.5, (500, 3)) * sides
    shown = Shown("", pos, [[np.zeros(500)]] * panels, View(-35, 25, 2)).as_dict()
    scene = np.stack([unpacked(axis) for axis in shown["pos"]], axis=1) / (2 * HALF)  # sides of the cube are 1
    assert np.abs(scene).max() < 0.5
    eye, up = (np.array(list(shown["camera"][name].values())) for name in ("eye", "up"))
    ahead = -eye / np.linalg.norm(eye)
    right = np.cross(ahead, up)
    depth = (scene - eye) @ ahead
    assert depth.min() > 0.2
    assert np.abs((scene - eye) @ np.cross(right, ahead) / depth).max() < np.tan(np.pi / 8)
    assert np.abs((scene - eye) @ right / depth).max() < np.tan(np.pi / 8) * (0.8 if panels > 1 else 1)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_clouds_of_hardly_any_points(tmp_path: Path, count: int) -> None:
    write_normals_page(tmp_path / "a.html", ball()[:count], ball()[:count], {})
    page = Page(tmp_path / "a.html")
    assert ("cloud" in page.drawings) == ("to turn" in page.text) == (count > 0)


def test_large_clouds_are_thinned_alike() -> None:
    rows = thinned(np.arange(1000), 100)
    assert len(rows) == len(set(rows)) == 100
    assert (np.diff(rows) > 0).all()
    assert (rows == thinned(np.arange(1000), 100)).all()
    assert (rows == np.sort(np.random.default_rng(SEED).choice(1000, 100, replace=False))).all()
    assert (thinned(np.arange(5), 5) == np.arange(5)).all()


def test_histograms_hold_every_finite_value() -> None:
    found = histogram("a", "b", np.array([np.nan, 0.2, 5.0, -1.0]), (0.0, 1.0))
    assert (found["counts"][0], found["counts"][-1], sum(found["counts"])) == (1, 1, 3)
    assert sum(histogram("a", "b", np.full(3, np.nan))["counts"]) == 0


def test_the_page_of_scores(tmp_path: Path) -> None:
    methods, scored = [PCA(12), PCA(40)], clouds()
    first, second = (score(method, scored) for method in methods)
    error = {"mean": 1e-5, "p99_9": 2e-5, "max": 3e-5, "rmse_change": None}
    sure = confidence_scores([(np.full(50, 2.5), np.linspace(1, 4, 50), np.ones(50))])
    metrics = {**first, "baselines": {"PCA 40": second}, "equivariance": {"a<b>": error}, "confidence": sure}
    write_evaluation_page(tmp_path / "a.html", methods, metrics, scored, {"checkpoint": "pca"})
    page = Page(tmp_path / "a.html")
    assert [name[:19] for name in page.loaded] == ["data:,", *["data:image/svg+xml;"] * 2]
    view = page.drawings["errors"]
    assert view["panels"] == ["PCA 12", "PCA 40"]
    assert [each["note"][:2] for each in view["clouds"]] == ["b,", "c,", "d,", "a<"]  # the worst of each category first
    degrees = unpacked(view["clouds"][0]["colours"][1][0])
    assert np.sqrt(np.square(degrees).mean()) == pytest.approx(second["per_cloud"]["b"]["rmse"], rel=1e-4)
    numbers = [f"{second['per_cloud']['c']['rmse']:.2f}", f"{first['average']['rmse']:.2f}", "3e-05"]
    for shown in (*numbers, "a<b>", "Area between the sparsification curve"):
        assert shown in page.text


def test_the_page_of_scores_by_rotation(tmp_path: Path) -> None:
    class Upright:
        """Knows the ball as long as it isn't turned."""

        name, oriented, equivariant = "upright", False, False

        def __call__(self, points: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
            return ball()[rows]

    scored = clouds()[:1]
    metrics = score_rotated(Upright(), scored, ("none", "so3"))
    (worst_one,) = worst_rotated(metrics, scored)
    assert worst_one.category == "so3"
    write_evaluation_page(tmp_path / "a.html", [Upright()], metrics, scored, {})
    page = Page(tmp_path / "a.html")
    degrees = unpacked(page.drawings["errors"]["clouds"][0]["colours"][0][0])
    assert np.sqrt(np.square(degrees).mean()) == pytest.approx(metrics["per_rotation"]["so3"]["rmse"], rel=1e-4)


def test_the_worst_clouds_are_of_all_categories() -> None:
    scored = clouds()
    assert [cloud.name for cloud in worst(score(PCA(12), scored), scored)] == ["b", "c", "d", "a<b>"]


def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expect_page(tmp_path / "a.html")
    with pytest.raises(UserError, match=r"expected a report of type \.html, got .*a\.ply"):
        expect_page(tmp_path / "a.ply")
    with pytest.raises(UserError, match=r"expected a folder .*none, got none"):
        expect_page(tmp_path / "none" / "a.html")
    (tmp_path / "b.html").mkdir()
    with pytest.raises(UserError, match=r"b\.html: expected a file to write, got a folder"):
        expect_page(tmp_path / "b.html")
    (tmp_path / "loop.html").symlink_to("loop.html")
    for name in ("loop.html", "\0.html", f"{'x' * 300}.html"):
        with pytest.raises(UserError, match="can't be written"):
            expect_page(tmp_path / name)
    for module in ("plotly", "plotly.offline"):
        monkeypatch.setitem(sys.modules, module, None)
    for attempt in (expect_page, lambda path: write_normals_page(path, ball(), ball(), {})):
        with pytest.raises(UserError, match=r"expected plotly for HTML reports, got none; .*tensorframes\[report\]"):
            attempt(tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="an administrator may write anywhere")
def test_a_page_that_must_not_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "a.html").touch(0o444)
    with pytest.raises(UserError, match=r"a\.html: can't be written: it is read-only"):
        expect_page(tmp_path / "a.html")
