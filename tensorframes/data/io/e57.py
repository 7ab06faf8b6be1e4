"""E57, with pye57: all scans of a file in its common coordinates.

Source: ASTM E2807, *Standard specification for 3D imaging data exchange*; normals are those of libE57's extension.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.columns import NORMAL, POSITION, Columns
from tensorframes.data.io.format import ReadOnly
from tensorframes.data.io.scans import counts_of, joined, of_some, sensor_of
from tensorframes.errors import needed_for

if TYPE_CHECKING:
    from pye57 import E57
    from pye57.libe57 import Node

CARTESIAN = ("cartesianX", "cartesianY", "cartesianZ")
SPHERICAL = ("sphericalRange", "sphericalAzimuth", "sphericalElevation")
INVALID = ("cartesianInvalidState", "sphericalInvalidState")
NORMALS = ("nor:normalX", "nor:normalY", "nor:normalZ")
NAMES = {
    **{"colorRed": "red", "colorGreen": "green", "colorBlue": "blue", "rowIndex": "row", "columnIndex": "column"},
    **dict(zip(NORMALS, NORMAL, strict=True)),
}
INTEGERS = ("u1", "i1", "u2", "i2", "u4", "i4", "i8")
"""The types of integers, by the range that the file declares."""


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
        left_out = (*poses, *images, *of_some(names, scans))
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
    data = _fields(file, index)
    if {*CARTESIAN} <= data.keys():
        pos = _stacked(data, CARTESIAN)
    elif {*SPHERICAL} <= data.keys():
        pos = _cartesian(*(data[name] for name in SPHERICAL))
    else:
        raise ValueError(f"a scan without {', '.join(CARTESIAN)}")
    if header.has_pose():
        pos = file.to_global(pos, header.rotation, header.translation)
        if {*NORMALS} <= data.keys():
            turned = file.to_global(_stacked(data, NORMALS), header.rotation, np.zeros(3))
            data |= {name: each.astype(data[name].dtype) for name, each in zip(NORMALS, turned.T, strict=True)}
    for name in INVALID:
        if name in data:
            pos[data[name] != 0] = np.nan
    others = {NAMES.get(name, name): data[name] for name in data if name not in (*CARTESIAN, *SPHERICAL, *INVALID)}
    return {**dict(zip(POSITION, pos.T, strict=True)), **others}


def _fields(file: "E57", index: int) -> dict[str, NDArray]:
    """The numbers (N,) of one scan by their names in the file, in the types that it declares; scaled ones as float64.

    pye57's own function reads few fields, and these in fixed types: colours as bytes, whatever the file has.
    """
    from pye57 import libe57

    points = file.get_header(index).points
    declared = libe57.StructureNode(points.prototype())
    nodes = [declared.get(place) for place in range(declared.childCount())]
    types = {node.elementName(): kind for node in nodes if (kind := _type(node)) is not None}
    count = points.childCount()
    # Integers need long long, q: pye57 has no unsigned ones of 32 bits, and takes long, l, for 32 bits everywhere.
    data = {name: np.empty(count, "q" if kind.kind in "iu" else kind) for name, kind in types.items()}
    if count and data:
        buffers = libe57.VectorSourceDestBuffer()
        for name, array in data.items():
            buffers.append(libe57.SourceDestBuffer(file.image_file, name, array, count, True, True))
        points.reader(buffers).read()
    return {name: array.astype(types[name], copy=False) for name, array in data.items()}


def _type(node: "Node") -> np.dtype | None:
    """The type of a field; None if it is no number."""
    from pye57 import libe57

    if node.type() == libe57.NodeType.E57_FLOAT:
        single = libe57.FloatNode(node).precision() == libe57.FloatPrecision.E57_SINGLE
        return np.dtype("f4" if single else "f8")
    if node.type() == libe57.NodeType.E57_SCALED_INTEGER:
        return np.dtype("f8")
    if node.type() != libe57.NodeType.E57_INTEGER:
        return None
    least, most = libe57.IntegerNode(node).minimum(), libe57.IntegerNode(node).maximum()
    return next(np.dtype(name) for name in INTEGERS if np.iinfo(name).min <= least and most <= np.iinfo(name).max)


def _stacked(data: Mapping[str, NDArray], names: tuple[str, ...]) -> NDArray[np.float64]:
    """(N, 3) numbers of three columns."""
    return np.stack([data[name] for name in names], axis=1).astype(np.float64)


def _cartesian(radius: NDArray, azimuth: NDArray, elevation: NDArray) -> NDArray:
    """(N, 3) positions; the elevation is measured from the horizontal plane."""
    level = radius * np.cos(elevation)
    return np.stack([level * np.cos(azimuth), level * np.sin(azimuth), radius * np.sin(elevation)], axis=1)
