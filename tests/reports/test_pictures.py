"""Pictures show what is in front, in the colour of its error; looked at by eye when they change."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from tensorframes.data import CATEGORIES, Cloud
from tensorframes.reports import draw_panels, error_panel, error_picture, pgp_picture, worst_clouds
from tensorframes.reports.pictures import error_colours, short
from tensorframes.reports.splats import View, best_view, draw, framed
from tensorframes.scoring import PCA, score

FRONT = View(azimuth=0, elevation=0)


def sphere(count: int = 1500, name: str = "ball", category: str = "no_noise", squash: float = 1.0) -> Cloud:
    pos = np.random.default_rng(0).normal(size=(count, 3))
    pos /= np.linalg.norm(pos, axis=1, keepdims=True)
    normal = pos / [1, 1, squash]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return Cloud(name, pos=pos * [1, 1, squash], normal=normal, category=category, eval_index=np.arange(300))


def test_near_points_hide_far_ones_and_the_ball_has_no_holes():
    ball = sphere()
    colour = np.where(ball.pos[:, 2:] > 0, [[1.0, 0, 0]], [[0.0, 0, 1]])  # the viewer's side is red
    image = draw(ball.pos, colour, ball.normal, FRONT, pixels=120)
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    radius = np.hypot(x - (width - 1) / 2, y - (height - 1) / 2) / (120 / np.sqrt(12))  # of a box of diagonal 120
    assert (image[radius < 0.8, 3] == 1).mean() > 0.99
    assert (image[radius < 0.8, 0] > image[radius < 0.8, 2]).mean() > 0.99
    assert image[radius > 1.2, 3].max() < 0.01


def test_up_is_up_and_right_is_right():
    pos = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    colour = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    image = draw(pos, colour, None, FRONT, pixels=100)
    red, green = (np.argwhere((image[..., c] > 0.5) & (image[..., 3] == 1)).mean(axis=0) for c in (0, 1))
    assert red[1] > green[1] + 20
    assert green[0] < red[0] - 20  # rows of an image count from the top


@pytest.mark.parametrize("up", [0, 1, 2])
def test_views_are_rotations_that_turn_the_chosen_axis_up(up):
    matrix = View(40, 20, up).matrix()
    assert matrix @ matrix.T == pytest.approx(np.eye(3))
    assert np.linalg.det(matrix) == pytest.approx(1)
    assert (matrix @ np.eye(3)[up])[0] == pytest.approx(0)
    assert (matrix @ np.eye(3)[up])[1] == pytest.approx(np.cos(np.radians(20)))


def test_the_view_shows_the_broad_side():
    plate = np.random.default_rng(0).uniform(-1, 1, size=(3000, 3)) * [1, 1, 0.02]
    assert abs(View.matrix(best_view(plate))[2] @ [0, 0, 1]) > 0.7


def test_degenerate_clouds_are_drawn_all_the_same():
    for pos in (np.zeros((5, 3)), np.ones((1, 3)), np.arange(12.0).reshape(4, 3)):
        image = draw(pos, np.ones((len(pos), 3)), None, best_view(pos), pixels=60)
        assert np.isfinite(image).all()
        assert image[..., 3].max() == 1
    assert np.isfinite(framed(np.zeros((2, 3)), FRONT)).all()


def test_colours_get_darker_with_the_error():
    brightness = error_colours()(np.linspace(0, 1, 50))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(brightness) < 0).all()


def test_a_panel_has_all_errors_but_the_rmse_of_the_evaluation_index():
    class Half:
        name, oriented = "half", False

        def __call__(self, points, rows=None):
            return np.where(np.arange(len(points))[:, None] < 300, points, 0)[rows]

    panel = error_panel(Half(), sphere())
    assert len(panel.degrees) == 1500
    assert panel.rmse < 1e-3
    assert panel.degrees[300:].min() == 90
    asked = []

    class Asked(Half):
        def __call__(self, points, rows=None):
            asked.append(rows)
            return super().__call__(points, rows)

    assert error_panel(Asked(), sphere(), points=50).rmse < 1e-3
    assert 300 <= len(asked[0]) <= 350  # the evaluation index and a few others, not all
    with pytest.raises(ValueError, match="without"):
        error_panel(Half(), Cloud("bare", pos=np.zeros((3, 3))))


def test_a_panel_shows_the_labelled_points():
    class Half:
        name, oriented = "half", False

        def __call__(self, points, rows=None):
            return np.where(np.arange(len(points))[:, None] < 300, points, 0)[rows]

    partly = replace(sphere(), normal=np.where(np.arange(1500)[:, None] < 400, sphere().normal, 0), eval_index=None)
    panel = error_panel(Half(), partly)
    assert (len(panel.degrees), len(panel.cloud)) == (400, 400)
    assert panel.rmse == pytest.approx(45)  # a quarter of them is at 90


def test_the_worst_cloud_of_each_category_is_picked():
    clouds = [
        sphere(name="c", category="high_noise"),
        sphere(name="a", squash=1.0),
        sphere(name="b", squash=0.2),
    ]
    assert [cloud.name for cloud in worst_clouds(score(PCA(12), clouds), clouds)] == ["b", "c"]


def test_pictures_are_written(tmp_path):
    clouds = [sphere(400, name=f"ball {c}", category=c) for c in CATEGORIES]
    page = imread(error_picture([PCA(8)], clouds, tmp_path / "new" / "errors.png"))
    assert page.shape[0] > 500
    assert page.shape[1] > 1000
    assert page[:, :, :3].std() > 0.05
    assert error_picture([PCA(8), PCA(20)], clouds[:2], tmp_path / "two.png").stat().st_size > 10_000
    results = {method.name: score(method, clouds) for method in (PCA(8), PCA(20))}
    assert imread(pgp_picture(results, tmp_path / "pgp.png"))[:, :, :3].std() > 0.05


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="at least one cloud"):
        draw_panels([], tmp_path / "no.png")


def test_names_lose_what_the_title_says():
    assert short("bunny100k_noise_white_1.00e-02") == "bunny100k"
    assert short("bunny100k_ddist_minmax_layers") == "bunny100k"
    assert len(short("x" * 100)) <= 28
