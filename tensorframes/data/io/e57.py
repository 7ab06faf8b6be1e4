"""E57, with pye57: all scans of a file in its common coordinates.

Source: ASTM E2807, *Standard specification for 3D imaging data exchange*.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.columns import POSITION, Columns
from tensorframes.data.io.format import ReadOnly
from tensorframes.data.io.scans import counts_of, joined, of_some, sensor_of
from tensorframes.errors import needed_for

if TYPE_CHECKING:
    from pye57 import E57

CARTESIAN = ("cartesianX", "cartesianY", "cartesianZ")
SPHERICAL = ("sphericalRange", "sphericalAzimuth", "sphericalElevation")
INVALID = ("cartesianInvalidState", "sphericalInvalidState")
NAMES = {"colorRed": "red", "colorGreen": "green", "colorBlue": "blue", "rowIndex": "row", "columnIndex": "column"}


class E57Format(ReadOnly):
    """The scans one after the other, in their order; a column `scan` numbers them if there are several."""

    name = "E57"
    suffixes = (".e57",)
    refusal = "pye57 can't write normals into an E57 file; choose .ply, .pcd or .laz"

    def read(self, path: Path, content: bytes) -> Columns:
        """The points; those that the file marks as invalid have the position NaN. Fields of all scans are columns."""
        if not content.startswith(b"ASTM-E57"):
            raise ValueError("a file of another kind")
        with needed_for("E57 files", "e57"):
            import pye57
        with _named(path, content) as name, pye57.E57(name) as file:
            scans = [_scan(file, index) for index in range(file.scan_count)]
            places = [_place(file, index) for index in range(file.scan_count)]
            images = ("images",) if file.root.isDefined("images2D") and len(file.root["images2D"]) else ()
            fields = [name for index in range(file.scan_count) for name in file.get_header(index).point_fields]
        if not scans:
            raise ValueError("no scan")
        poses = ("poses",) if any(place is not None for place in places) else ()
        names = [NAMES.get(name, name) for name in fields if name not in (*CARTESIAN, *SPHERICAL, *INVALID)]
        left_out = (*poses, *images, *of_some(names, scans))  # pye57 does not read times
        return Columns(joined(scans), None, ".e57", other_content=left_out, sensor=sensor_of(places, counts_of(scans)))


@contextmanager
def _named(path: Path, content: bytes) -> Iterator[str]:
    """The name of a file of this content: libE57 opens names alone."""
    if path.is_file():
        yield str(path)
        return
    with TemporaryDirectory() as folder:
        file = Path(folder) / "input.e57"
        file.write_bytes(content)
        yield str(file)


def _place(file: "E57", index: int) -> NDArray | None:
    """(3,) where the scanner stood, the origin of the scan's own coordinates; None without a pose."""
    header = file.get_header(index)
    return np.asarray(header.translation, dtype=np.float64) if header.has_pose() else None


def _scan(file: "E57", index: int) -> dict[str, NDArray]:
    """The columns of one scan."""
    header = file.get_header(index)
    data = file.read_scan_raw(index, ignore_unsupported_fields=True)
    if {*CARTESIAN} <= data.keys():
        pos = np.stack([data[name] for name in CARTESIAN], axis=1)
    elif {*SPHERICAL} <= data.keys():
        pos = _cartesian(*(data[name] for name in SPHERICAL))
    else:
        raise ValueError(f"a scan without {', '.join(CARTESIAN)}")
    if header.has_pose():
        pos = file.to_global(pos, header.rotation, header.translation)
    for name in INVALID:
        if name in data:
            pos[data[name] != 0] = np.nan
    others = {NAMES.get(name, name): data[name] for name in data if name not in (*CARTESIAN, *SPHERICAL, *INVALID)}
    return {**dict(zip(POSITION, pos.T, strict=True)), **others}


def _cartesian(radius: NDArray, azimuth: NDArray, elevation: NDArray) -> NDArray:
    """(N, 3) positions; the elevation is measured from the horizontal plane."""
    level = radius * np.cos(elevation)
    return np.stack([level * np.cos(azimuth), level * np.sin(azimuth), radius * np.sin(elevation)], axis=1)
