"""Classical methods: normals without learning."""

from collections.abc import Iterator
from math import comb
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tensorframes.errors import UserError
from tensorframes.geometry import knn
from tensorframes.geometry.outliers import within_range
from tensorframes.scoring.metrics import Floats, as_rows

CHUNK = 8192  # neighbourhoods in memory at once; 22 MB of coordinates with 112 neighbours


class PCA:
    """Normal of the least-squares plane of the k nearest points, the point itself among them.

    n = the eigenvector of the smallest eigenvalue of sum_j (x_j - mean)(x_j - mean)^T
    (Hoppe et al.: "Surface Reconstruction from Unorganized Points", 1992, section 3.2).
    A neighbourhood whose two smallest eigenvalues are equal (a line, equal points, fewer than three points) has no
    normal: a zero row.

    Args:
        k: neighbours, the point itself included.
    """

    oriented = False
    equivariant = True

    def __init__(self, k: int = 18) -> None:
        self.k = checked_k(k, least=3)
        self.name = f"PCA {k}"

    def __call__(self, points: NDArray, rows: NDArray | None = None) -> Floats:
        """Normals (M, 3) of the rows (M,) of points (N, 3), of all by default: unit, of arbitrary sign, or zero."""
        parts = [plane(near, floor)[0][:, :, 0] for near, _, floor in neighbourhoods(points, rows, self.k)]
        return np.concatenate(parts) if parts else np.zeros((0, 3))


class Jet:
    """Normal of a polynomial height function fitted to the k nearest points, the point itself among them.

    In the axes (u, v, w) of the neighbourhood's principal components, with the point as origin,
    ``w = sum_{a+b<=order} c_ab u^a v^b`` is fitted by least squares, and the normalised (-c_10, -c_01, 1) is
    turned back. Cazals, Pouget: "Estimating Differential Quantities Using Polynomial Fitting of Osculating Jets", 2005,
    section 2.3; the fit of CGAL's `jet_estimate_normals`. Monomials are weighted by the square roots of the binomial
    coefficients, so that the solution of least norm, used if the points do not determine the fit, is equivariant.
    Neighbourhoods without a plane have no normal (see PCA).

    Args:
        k: neighbours, the point itself included.
        order: degree of the polynomial; 1 is a plane through the heights.
    """

    oriented = False
    equivariant = True

    def __init__(self, k: int = 112, order: int = 2) -> None:
        if order < 1:
            raise ValueError(f"expected an order of at least 1, got {order}")
        self.k = checked_k(k, least=(order + 1) * (order + 2) // 2)
        self.order = order
        self.name = f"jet {k}" if order == 2 else f"jet {k} order {order}"

    def __call__(self, points: NDArray, rows: NDArray | None = None) -> Floats:
        """Normals (M, 3) of the rows (M,) of points (N, 3), of all by default: unit, of arbitrary sign, or zero."""
        parts = [self.fit(near, origin, floor) for near, origin, floor in neighbourhoods(points, rows, self.k)]
        return np.concatenate(parts) if parts else np.zeros((0, 3))

    def fit(self, near: Floats, origin: Floats, floor: float) -> Floats:
        """Normals (B, 3) at the origins (B, 3) of neighbourhoods (B, k, 3)."""
        axes, defined = plane(near, floor)  # columns: w (the plane's normal), v, u
        local = (near - origin[:, None]) @ axes
        size = np.abs(local[:, :, 1:]).mean(axis=(1, 2), keepdims=True)
        local = local / np.where(size > 0, size, 1.0)
        basis = monomials(local[:, :, 2], local[:, :, 1], self.order)  # (B, k, terms)
        gram = np.swapaxes(basis, 1, 2) @ basis
        moment = np.swapaxes(basis, 1, 2) @ local[:, :, :1]
        slope = (np.linalg.pinv(gram, rcond=1e-12, hermitian=True) @ moment)[:, 1:3, 0]  # dw/du, dw/dv
        ahead = np.stack([np.ones(len(slope)), -slope[:, 1], -slope[:, 0]], axis=1)
        normal = (axes @ ahead[:, :, None])[:, :, 0]
        return np.where(defined[:, None], normal / np.linalg.norm(ahead, axis=1, keepdims=True), 0.0)


class Open3D:
    """Open3D's `estimate_normals` with the k nearest points: an independent PCA, for comparison of speed and results.

    Needs the extra `tensorframes[open3d]`, which is imported on the first call.
    """

    oriented = False
    equivariant = True

    def __init__(self, k: int = 18) -> None:
        self.k = checked_k(k, least=3)
        self.name = f"Open3D {k}"

    def __call__(self, points: NDArray, rows: NDArray | None = None) -> Floats:
        """Normals (M, 3) of the rows (M,) of points (N, 3), of all by default: unit, of arbitrary sign."""
        try:
            import open3d
        except (ImportError, OSError) as error:  # OSError: a shared library of the system is missing
            hint = 'pip install "tensorframes[open3d]", and on Debian libusb-1.0-0 libgl1 libegl1 libx11-6'
            raise UserError(f'expected Open3D, got "{error}"; {hint}') from error
        cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(as_rows(points, "points")))
        cloud.estimate_normals(open3d.geometry.KDTreeSearchParamKNN(self.k))
        normal = np.asarray(cloud.normals)
        return normal if rows is None else normal[rows]


def checked_k(k: int, least: int) -> int:
    """k. Raises ValueError if it is below ``least``, or no whole number."""
    if k < least or k != int(k):
        raise ValueError(f"expected at least {least} neighbours, got {k}")
    return k


def neighbourhoods(points: NDArray, rows: NDArray | None, k: int) -> Iterator[tuple[Floats, Floats, float]]:
    """Chunks of neighbourhoods (B, k, 3) of the query points (B, 3), relative to the mean of the cloud.

    The third value is the squared length below which variance is only the rounding of the coordinates.
    """
    exact = as_rows(points, "points")
    if not np.isfinite(exact).all():
        raise ValueError("expected finite points, got NaN or infinity")
    if len(exact) == 0:
        return
    exact = within_range(exact)
    floor = float(np.finfo(rounding_of(points)).eps * np.abs(exact).max()) ** 2
    centred = exact - exact.mean(axis=0)
    queries = centred if rows is None else centred[rows]
    query = None if rows is None else torch.from_numpy(queries)
    near = knn(torch.from_numpy(centred), min(k, len(centred)), query).numpy()
    for start in range(0, len(queries), CHUNK):
        chunk = slice(start, start + CHUNK)
        yield centred[near[chunk]], queries[chunk], floor


def rounding_of(points: NDArray) -> Literal["float32", "float64"]:
    """The precision of the coordinates."""
    return "float32" if np.asarray(points).dtype in (np.float32, np.float16) else "float64"


def plane(near: Floats, floor: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Principal axes (B, 3, 3) of neighbourhoods (B, k, 3) as columns, the normal first, and whether there is one (B,).

    If the two smallest eigenvalues are equal up to rounding the normal is undefined; its column is zero then.
    """
    centred = near - near.mean(axis=1, keepdims=True)
    spread, axes = np.linalg.eigh(np.swapaxes(centred, 1, 2) @ centred / near.shape[1])
    defined = spread[:, 1] - spread[:, 0] > 1e-10 * spread[:, 2] + floor
    axes[~defined, :, 0] = 0.0
    return axes, defined


def monomials(u: Floats, v: Floats, order: int) -> Floats:
    """sqrt(binomial(n, b)) u^(n-b) v^b for n = 0 .. order, (..., (order+1)(order+2)/2); terms 1 and 2 are u and v."""
    terms = [comb(n, b) ** 0.5 * u ** (n - b) * v**b for n in range(order + 1) for b in range(n + 1)]
    return np.stack(terms, axis=-1)
