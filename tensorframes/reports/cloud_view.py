"""Interactive 3D views of clouds for HTML pages, in selectable colours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorframes.reports.page import Drawing, packed
from tensorframes.reports.pictures import ERROR_STOPS
from tensorframes.reports.splats import View

DRAWN = 100_000
"""Most points of a cloud that are drawn."""
SEED = 0
"""Of the choice of drawn points."""
BINS = 60
HALF = 1.01
"""Half of a side of the cube that plotly.js shows, whose side is its unit; the largest side of a cloud has half 1."""
FITS = 0.38
"""Tangent within which a cloud is seen at first; that of half the height of a picture is 0.41."""
BESIDE = 0.32
"""The same to the sides, where panels lie beside each other and have a scale of colours."""
NEAREST = 1.0
"""Least distance of the camera."""


@dataclass(frozen=True)
class Colouring:
    """A meaning of colour: a value on a scale, or, without a range, red, green and blue themselves.

    Points without a value (NaN) are dark grey.
    """

    name: str
    note: str = ""
    unit: str = ""
    range: tuple[float, float] | None = None
    reverse: bool = False  # whether the high end of the scale is the light one

    def as_dict(self) -> dict[str, Any]:
        """What page.js reads."""
        stops = (
            [[1 - at, colour] for at, colour in ERROR_STOPS[::-1]] if self.reverse else [list(s) for s in ERROR_STOPS]
        )
        scale = None if self.range is None else stops
        return {"name": self.name, "note": self.note, "unit": self.unit, "range": self.range, "scale": scale}


@dataclass(frozen=True)
class Shown:
    """A cloud of a view.

    Attributes:
        name: on its button. pos: (N, 3).
        values: [panel][colouring], (N,) values on the scale, or (N, 3) red, green and blue in [0, 1].
        view: from where it is seen at first. note: below the buttons. notes: above each panel.
    """

    name: str
    pos: NDArray
    values: Sequence[Sequence[NDArray]]
    view: View
    note: str = ""
    notes: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """What page.js reads: positions relative to the centre, so that float32 resolves them anywhere."""
        centred = self.pos.astype(np.float64) - (self.pos.min(axis=0) + self.pos.max(axis=0)) / 2
        colours = [[packed_colour(values) for values in panel] for panel in self.values]
        notes = list(self.notes) or [""] * len(self.values)
        scaled = centred / extent(centred)
        return {
            "name": self.name,
            "pos": [packed(axis, "<f4") for axis in scaled.T],
            "colours": colours,
            "camera": camera(self.view, scaled, FITS if len(self.values) == 1 else BESIDE),
            "note": self.note,
            "notes": notes,
        }


def cloud_view(clouds: Sequence[Shown], colourings: Sequence[Colouring], panels: Sequence[str] = ("",)) -> Drawing:
    """A view of clouds: a row of panels, which turn together, with buttons for the clouds and the colourings.

    Args:
        clouds: at least one. colourings: as many as each panel has values. panels: their headings.
    """
    most = max(len(cloud.pos) for cloud in clouds)
    return {
        "kind": "view",
        "size": 1.5 if most > 50_000 else 2.5 if most > 10_000 else 4,
        "panels": list(panels),
        "colourings": [each.as_dict() for each in colourings],
        "clouds": [each.as_dict() for each in clouds],
        "half": HALF,
    }


def histogram(title: str, unit: str, values: NDArray, limits: tuple[float, float] | None = None) -> Drawing:
    """A histogram of the finite values, those beyond the limits in its end bins.

    Limits are by default 0 and the 99.5th percentile.
    """
    finite = values[np.isfinite(values)]
    top = float(np.percentile(finite, 99.5)) if len(finite) else 0.0
    low, high = limits or (0.0, top if top > 0 else 1.0)
    counts, edges = np.histogram(np.clip(finite, low, high), BINS, (low, high))
    return {"kind": "histogram", "title": title, "unit": unit, "counts": counts.tolist(), "edges": edges.tolist()}


def thinned(rows: NDArray[np.int64], most: int = DRAWN) -> NDArray[np.int64]:
    """At most so many of the rows, in their order: the same ones each time."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(SEED).choice(rows, most, replace=False))


def extent(centred: NDArray) -> float:
    """Half of the largest side of the bounding box; 1 for a single place."""
    largest = float(np.abs(centred).max())
    return largest if largest > 0 else 1.0


def packed_colour(values: NDArray) -> str:
    """Values (N,) or colours (N, 3) as text."""
    return packed(values, "<f4") if values.ndim == 1 else packed(np.round(255 * values), "u1")


def camera(view: View, scaled: NDArray, sides: float) -> Mapping[str, Mapping[str, float]]:
    """The camera of plotly.js with this direction of view, as near as the whole cloud (N, 3) is seen."""
    axes = view.matrix()
    seen = scaled @ axes.T / (2 * HALF)
    distance = max(NEAREST, float((seen[:, 2] + np.abs(seen[:, :2] / (sides, FITS)).max(axis=1)).max()))
    up, eye = (dict(zip("xyz", row.tolist(), strict=True)) for row in (axes[1], distance * axes[2]))
    return {"up": up, "eye": eye}
