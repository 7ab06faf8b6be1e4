"""The HTML report of ``tensorframes normals --report``: a cloud with its normals."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from tensorframes.normals.points import Points, as_array, number_rows, plain, shape_of
from tensorframes.reports.cloud_view import Colouring, Shown, cloud_view, histogram, thinned
from tensorframes.reports.page import HOW_TO_MOVE, Drawing, facts, heading, paragraph, slot, write_page
from tensorframes.reports.splats import View
from tensorframes.scoring import angles
from tensorframes.words import counted, every

NEIGHBOURS = 12
FROM = View(azimuth=-35, elevation=25, up=2)
GREY = "Points without a normal are dark grey."


class Agreement(NamedTuple):
    """How the normals of points agree with those of their nearest neighbours."""

    same_sign: NDArray[np.float64]  # (M,) share of the neighbours j with n_i . n_j > 0
    angle: NDArray[np.float64]  # (M,) mean unoriented angle to the neighbours' normals, degrees
    spacing: NDArray[np.float64]  # (M,) distance to the nearest point at another place; NaN where none was found


def write_normals_page(
    path: Path | str,
    points: Points,
    normals: ArrayLike | Tensor,
    done: Mapping[str, object],
    oriented: bool = False,
    expected_degrees: ArrayLike | Tensor | None = None,
) -> Path:
    """Writes an HTML report: the cloud in 3D coloured by its normals, histograms, and what was done.

    At most ``cloud_view.DRAWN`` points are drawn, chosen at random with a fixed seed. Neighbours are those in the whole
    cloud.

    Args:
        path: the file, .html.
        points: (N, 3) numbers: an array, a tensor, or a point cloud of Open3D, trimesh or laspy.
        normals: (N, 3), unit vectors; zero or not finite where there is none.
        done: what was done, by name.
        oriented: whether the signs of the normals are meaningful.
        expected_degrees: (N,) expected errors, if known: ``numpy.degrees(1 - confidence)``.

    Raises:
        ValueError: shapes are not these.
        UserError: plotly is not installed.
        OSError: the file can't be written.
    """
    points, normals = number_rows(as_array(points), "points"), number_rows(plain(normals), "normals")
    if len(normals) != len(points):
        raise ValueError(f"expected normals of {counted(len(points), 'point')}, got {len(normals)}")
    degrees = None if expected_degrees is None else plain(expected_degrees)
    if degrees is not None and (degrees.shape != (len(points),) or degrees.dtype.kind not in "fiu"):
        raise ValueError(f"expected expected_degrees ({len(points)},) of numbers, got {shape_of(degrees)}")
    finite = np.isfinite(points).all(axis=1)
    normals = np.where((finite & np.isfinite(normals).all(axis=1))[:, None], normals, 0)
    finite = np.flatnonzero(finite)
    rows = thinned(finite)
    has = (normals[rows] != 0).any(axis=1)
    agreement = agreement_of(points, normals, rows[has])
    expected = None if degrees is None else np.where(has, degrees[rows], np.nan)
    drawings = histograms(agreement, oriented, expected)
    names = list(drawings)
    if len(rows):
        drawings["cloud"] = coloured_cloud(
            points[rows], normals[rows], spread(agreement.same_sign, has), oriented, expected
        )
    parts = [
        paragraph(drawn_line(len(rows), len(finite))),
        slot("cloud"),
        heading("Distributions"),
        paragraph(
            f"Over the {counted(int(has.sum()), 'drawn point')} with a normal, with the {NEIGHBOURS} nearest of each "
            "in the whole cloud. The last bar also counts larger values."
        ),
        f'<div class="charts">{"".join(slot(name, "chart") for name in names)}</div>',
        heading("What was done"),
        facts({what: str(value) for what, value in done.items()}),
    ]
    return write_page(path, f"Normals of {done.get('file', 'a cloud')}", parts, drawings)


def agreement_of(points: NDArray, normals: NDArray, rows: NDArray[np.int64]) -> Agreement:
    """The agreement of the normals of ``rows`` (M,) with those of their NEIGHBOURS nearest points that have one."""
    from scipy.spatial import cKDTree

    member = np.flatnonzero((normals != 0).any(axis=1))
    if len(member) < 2 or len(rows) == 0:
        return Agreement(*(np.full(len(rows), np.nan) for _ in range(3)))
    count = min(NEIGHBOURS + 1, len(member))
    centred = points[member].astype(np.float64) - points[rows[0]].astype(np.float64)
    distance, near = cKDTree(centred).query(points[rows].astype(np.float64) - points[rows[0]], k=count)
    # The first is the point itself, or one at the same place.
    normal, others = normals[rows].astype(np.float64), normals[member[near[:, 1:]]].astype(np.float64)
    cosine = np.einsum("mi,mki->mk", normal, others)
    angle = angles(np.repeat(normal, count - 1, axis=0), others.reshape(-1, 3)).reshape(len(rows), -1)
    apart = np.where(distance > 0, distance, np.inf).min(axis=1)
    return Agreement((cosine > 0).mean(axis=1), angle.mean(axis=1), np.where(np.isfinite(apart), apart, np.nan))


def coloured_cloud(
    points: NDArray, normals: NDArray, same_sign: NDArray, oriented: bool, expected: NDArray | None
) -> Drawing:
    """The view of the cloud, with a colouring for each thing that is known of it.

    Args:
        points, normals: (M, 3). same_sign: (M,). oriented: whether signs mean anything.
        expected: (M,) degrees, or None.
    """
    colourings = [normal_colouring(oriented), sign_colouring(oriented)]
    values = [np.clip((normals + 1) / 2 if oriented else np.abs(normals), 0, 1), same_sign]
    if expected is not None:
        known = expected[np.isfinite(expected)]
        limit = max(10.0, float(np.percentile(known, 99))) if len(known) else 10.0
        note = f"The confidence: the expected error in degrees, up to 99 % of the points. {GREY}"
        colourings.insert(1, Colouring("confidence", note, "expected error (degrees)", (0.0, limit)))
        values.insert(1, expected)
    return cloud_view([Shown("cloud", points, [values], FROM)], colourings)


def normal_colouring(oriented: bool) -> Colouring:
    """Normals as red, green and blue; without signs, where these mean nothing."""
    signed = "Red, green and blue are (n + 1) / 2 of the normal's x, y and z."
    unsigned = "Red, green and blue are the absolute values of the normal's x, y and z: the signs are arbitrary."
    return Colouring("normal", signed if oriented else unsigned)


def sign_colouring(oriented: bool) -> Colouring:
    """The consistency of signs."""
    note = f"The share of the {NEIGHBOURS} nearest neighbours on whose side the normal points (n · m > 0). {GREY}"
    arbitrary = "" if oriented else " Here the signs are arbitrary: orient the normals (--orient) for a share near 1."
    return Colouring("consistency of signs", note + arbitrary, "share of neighbours", (0.0, 1.0), reverse=True)


def histograms(agreement: Agreement, oriented: bool, expected: NDArray | None) -> dict[str, Drawing]:
    """The distributions, by the names of their places in the page."""
    found = {
        "angles": histogram("Mean angle to the neighbours' normals", "degrees", agreement.angle),
        "spacing": histogram("Distance to the nearest other point", "unit of the file", agreement.spacing),
    }
    if oriented:
        found["signs"] = histogram("Neighbours with the same sign", "share", agreement.same_sign, (0.0, 1.0))
    if expected is not None:
        found["confidence"] = histogram("Expected error", "degrees", expected)
    return found


def spread(values: NDArray, has: NDArray[np.bool_]) -> NDArray:
    """Values of the rows that have one, at all rows: NaN at the others."""
    whole = np.full(len(has), np.nan)
    whole[has] = values
    return whole


def drawn_line(drawn: int, points: int) -> str:
    """How many points are drawn, and how to turn them."""
    if points == 0:
        return "No point is finite, so none is drawn."
    some = f"{drawn:,} of {points:,} points, chosen at random" if drawn < points else every(points, "point")
    return f"Drawn: {some}. {HOW_TO_MOVE}"
