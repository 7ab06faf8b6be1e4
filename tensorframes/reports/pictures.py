"""Pictures of errors: clouds coloured by the angles between their normals and the true ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tensorframes.atomic import replacing
from tensorframes.data import Cloud
from tensorframes.reports.grid import Metrics, in_protocol_order
from tensorframes.reports.splats import best_view, draw
from tensorframes.scoring import Method, angles, normals_at, rmse

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

TITLES = {
    "no_noise": "no noise",
    "low_noise": "low noise",
    "med_noise": "medium noise",
    "high_noise": "high noise",
    "vardensity_striped": "striped density",
    "vardensity_gradient": "gradient density",
}
INK, FAINT = "#1f2430", "#6b7280"
CURVES = ("#b3244f", "#2563eb", "#0d9488", "#d97706", "#7c3aed", "#4b5563")
ERROR_STOPS = (
    (0.0, "#eceff3"),
    (0.1, "#f9e7bb"),
    (0.27, "#fbb761"),
    (0.5, "#ec6a4c"),
    (0.75, "#b3244f"),
    (1.0, "#4c0d3c"),
)
"""The colours of errors: from light grey for none over yellow, orange and red to dark purple; monotonic in lightness,
for grey prints."""
POINTS = 15_000  # per panel; more cannot be distinguished at its size


@dataclass(frozen=True)
class Panel:
    """Points of a cloud, each with the error of a method's normal."""

    cloud: Cloud
    degrees: NDArray[np.float64]  # (N,) unoriented
    rmse: float  # over the evaluation index

    @property
    def title(self) -> str:
        """The category, in words."""
        return TITLES.get(self.cloud.category, self.cloud.category)


def error_panel(method: Method, cloud: Cloud, points: int = POINTS) -> Panel:
    """A method's errors at about ``points`` labelled points of a cloud, and at its evaluation index, which determines
    the RMSE."""
    labelled, eval_index = np.flatnonzero(cloud.labelled), cloud.eval_index
    if cloud.normal is None or len(eval_index) == 0:
        raise ValueError(f"expected a cloud with normals to score, got {cloud.name!r} without")
    spread = labelled[np.linspace(0, len(labelled) - 1, min(points, len(labelled))).round().astype(np.int64)]
    rows = np.unique(spread if len(eval_index) == len(labelled) else np.concatenate([eval_index, spread]))
    degrees = angles(normals_at(method, cloud.pos, rows), cloud.normal[rows])
    shown = Cloud(cloud.name, cloud.pos[rows], cloud.normal[rows], cloud.oriented, category=cloud.category)
    return Panel(shown, degrees, rmse(degrees[np.isin(rows, eval_index)]))


def worst_clouds(metrics: Metrics, clouds: Sequence[Cloud]) -> list[Cloud]:
    """The cloud of largest RMSE in each category, in the protocol's order; `clouds` are those that were scored."""
    per_cloud = metrics["per_cloud"]
    order = list(per_cloud)
    categories = in_protocol_order([entry["category"] for entry in per_cloud.values()])
    members = [[name for name in order if per_cloud[name]["category"] == category] for category in categories]
    return [clouds[order.index(max(names, key=lambda name: per_cloud[name]["rmse"]))] for names in members]


def error_picture(
    methods: Sequence[Method],
    clouds: Sequence[Cloud],
    path: Path | str,
    limit: float = 60.0,
    columns: int | None = None,
) -> Path:
    """Draws clouds coloured by the angle between a method's normals and the true ones, with a colour bar.

    Args:
        methods: the clouds of one method fill the page; of several, each is a row, with the same clouds in each.
        clouds: for instance `worst_clouds(...)`.
        path: the file, in any format of matplotlib, .png by default.
        limit: degrees at the end of the colour bar.
        columns: clouds per row; by default 3 for one method and all clouds for several.
    """
    rows = [[error_panel(method, cloud) for cloud in clouds] for method in methods]
    if len(methods) == 1:
        width = columns or min(3, len(clouds))
        return draw_panels([rows[0][at : at + width] for at in range(0, len(clouds), width)], path, limit)
    return draw_panels(rows, path, limit, labels=[method.name for method in methods])


def draw_panels(
    rows: Sequence[Sequence[Panel]], path: Path | str, limit: float = 60.0, labels: Sequence[str] = ()
) -> Path:
    """Draws rows of panels. With `labels`, one per row, all rows show the same clouds, named once at the top."""
    from matplotlib.figure import Figure

    if not rows or not rows[0] or limit <= 0:
        raise ValueError(f"expected at least one cloud and a limit above 0, got {len(rows)} rows and {limit}")
    images = [[image_of(panel, limit) for panel in line] for line in rows]
    width = max(image.shape[1] for line in images for image in line)
    heights = [max(image.shape[0] for image in line) for line in images]
    across, inches = max(map(len, rows)), 2.0 if labels else 2.9
    tall = sum(heights) / width * inches + (0.3 * len(rows) + 0.6 if labels else 0.95 * len(rows))
    figure = Figure(figsize=(across * (inches + 0.1) + 1.1, tall), dpi=160)
    figure.set_layout_engine("constrained", h_pad=0.1, w_pad=0.05)
    axes = figure.subplots(len(rows), across, squeeze=False, gridspec_kw={"height_ratios": heights})
    for row, line in enumerate(rows):
        for axis, panel, image in zip(axes[row], line, images[row], strict=False):
            show(axis, panel, image, (width, heights[row]), named=not labels or row == 0)
        for axis in axes[row]:
            axis.set(xticks=[], yticks=[], frame_on=False)
        if labels:
            axes[row][0].set_ylabel(labels[row], fontsize=11, color=INK, fontweight="bold", labelpad=6)
    colour_bar(figure, axes, limit)
    return saved(figure, path)


def image_of(panel: Panel, limit: float) -> NDArray[np.float64]:
    """Image (H, W, 4) of the cloud coloured by its errors, in its best view."""
    colour = error_colours()(np.clip(panel.degrees / limit, 0, 1))[:, :3]
    return draw(panel.cloud.pos, colour, panel.cloud.normal, best_view(panel.cloud.pos))


def show(axis: "Axes", panel: Panel, image: NDArray, size: tuple[int, int], named: bool) -> None:
    """Shows one panel: the image centred in an area of `size`, category and name above, RMSE below."""
    (height, width), (right, top) = image.shape[:2], size
    left, low = (right - width) / 2, (top - height) / 2
    axis.imshow(image, extent=(left, left + width, low, low + height), interpolation="antialiased")
    axis.set(xlim=(0, right), ylim=(0, top), aspect="equal")
    if named:
        axis.set_title(panel.title, fontsize=11, color=INK, fontweight="bold", pad=19)
        axis.text(0.5, 1.02, short(panel.cloud.name), transform=axis.transAxes, ha="center", fontsize=8, color=FAINT)
    axis.set_xlabel(f"RMSE {panel.rmse:.2f}°", fontsize=10, color=INK, labelpad=2)


def short(name: str, length: int = 28) -> str:
    """A cloud's name without the protocol's suffixes, which the title has; long names are shortened in the middle."""
    name = name.split("_noise_white")[0].split("_ddist_minmax")[0]
    return name if len(name) <= length else f"{name[: length // 2]}…{name[-length // 2 + 1 :]}"


def error_colours() -> "LinearSegmentedColormap":
    """ERROR_STOPS, for matplotlib."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("error", list(ERROR_STOPS))


def colour_bar(figure: "Figure", axes: NDArray, limit: float) -> None:
    """Adds the colour bar at the right, in degrees."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = figure.colorbar(
        ScalarMappable(Normalize(0, limit), error_colours()),
        ax=axes,
        extend="max" if limit < 90 else "neither",
        aspect=28,
        pad=0.02,
        shrink=0.7,
    )
    bar.set_label("angle to the true normal", fontsize=9, color=INK)
    ticks = np.linspace(0, limit, 7).tolist()
    bar.set_ticks(ticks, labels=[f"{at:.0f}°" for at in ticks])
    bar.ax.tick_params(labelsize=8, colors=INK, length=2)
    bar.outline.set_visible(False)


def saved(figure: "Figure", path: Path | str) -> Path:
    """Writes the figure whole or not at all and makes its folder; PNG if the name has no suffix."""
    path = Path(path) if Path(path).suffix else Path(f"{path}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        figure.savefig(file, format=path.suffix[1:].lower(), facecolor="white")
    return path
