"""LAS and LAZ, with laspy: all dimensions, scales, offsets, header fields and records are preserved."""

from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.axes import fresh, key_of
from tensorframes.data.io.columns import POSITION, Columns, table_of
from tensorframes.data.io.las_header import (
    check_chunks,
    check_records,
    check_size,
    complete,
    date_of,
    records_of,
    surplus,
)
from tensorframes.data.io.standard import standard
from tensorframes.data.io.types import SMALL, exact_type
from tensorframes.words import counted

if TYPE_CHECKING:
    from laspy import ExtraBytesParams, LasData, LasHeader

NORMAL_DIMENSIONS = ("NormalX", "NormalY", "NormalZ")
"""Names of normals among the extra bytes in CloudCompare and PDAL."""

TYPES = (*SMALL, "i8", "u8")
RAW = ("X", "Y", "Z")
LONGEST_NAME = 32
MOST_EXTRA = 65535 // 192
"""Extra bytes that the record about them has room for: 192 bytes on each."""

WIDEST = 3
STEPS = 2.0**31 - 2
"""Largest integer coordinate of LAS."""

DISTINCT = 2**52
"""Integers below, divided by one number, are distinct in float64."""

MOST_PLACES = 22
"""Largest power of ten that float64 holds."""


@dataclass(frozen=True, eq=False)
class LasOrigin:
    """A LAS file: its header, records and points, and the date of its creation as it stands there, often none."""

    data: "LasData"
    date: bytes


class LasFormat:
    """Positions as scaled in the header, then all dimensions by laspy's names, extra bytes included."""

    name = "LAS"
    suffixes = (".las", ".laz")
    refusal = ""

    def read(self, path: Path, content: bytes) -> Columns:
        """The points of a LAS or LAZ file of any version and point format that laspy reads."""
        import laspy

        check_records(content)
        with laspy.open(BytesIO(content), encoding_errors="surrogateescape") as reader:
            check_size(reader.header, len(content))
            notes = surplus(reader.header, content)
            check_chunks(reader.header, content)
            data = reader.read()
        if len(data.points) != data.header.point_count:
            raise ValueError(f"expected {counted(data.header.point_count, 'point')}, got {len(data.points)}")
        names = [name for name in data.point_format.dimension_names if name not in RAW]
        arrays = _positions(data) | {name: _dimension(data, name) for name in names}
        origin = LasOrigin(data, date_of(content))
        return Columns(table_of(arrays), origin, path.suffix.lower(), other_content=records_of(data), notes=notes)

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """Columns that are not numeric, have more than three numbers per row, a name of more than 32 bytes, or no room.

        Raises:
            ValueError: a position is not finite, since LAS stores integers; the file has waveforms, which laspy drops;
                or its own columns leave no room for normals.
        """
        if (
            isinstance(columns.origin, LasOrigin)
            and columns.origin.data.header.global_encoding.waveform_data_packets_internal
        ):
            raise ValueError("waveforms within a LAS file can't be written back; choose another kind of file")
        if not np.isfinite(columns.pos).all():
            rows = int((~np.isfinite(columns.pos)).any(axis=1).sum())
            raise ValueError(f"LAS keeps finite positions alone, got {counted(rows, 'row')} with others")
        form = columns.origin.data.point_format if isinstance(columns.origin, LasOrigin) else None
        placed = {*columns.position, *columns.normals, *(form.dimension_names if form else ())}
        others = [name for name in columns.names if name not in placed]
        fitting = [name for name in others if _fits(name, columns.table[name])]
        own = set(form.extra_dimension_names if form else ())
        room = MOST_EXTRA - len(own.union(columns.normals or NORMAL_DIMENSIONS))
        if room < 0:
            raise ValueError(f"LAS has room for {MOST_EXTRA} columns of its own, got {len(own)} and normals")
        kept = fitting[:room]
        return tuple(name for name in others if name not in kept)

    @np.errstate(over="ignore")  # of coordinates near the largest of float64, in laspy, too
    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """The original file with new and changed dimensions; other points as LAS 1.4."""
        import laspy

        columns = columns.renamed(dict(zip(columns.normals, _normal_names(columns), strict=False)))
        origin = columns.origin
        if isinstance(origin, LasOrigin) and len(origin.data.points) == len(columns.table):
            data, date = _changed(origin.data, columns), origin.date
        else:
            data, date = _new(standard(columns, NORMAL_DIMENSIONS)), None
        compressed = suffix == ".laz"
        stream = BytesIO() if compressed else file  # the compressor gives no reason if it cannot write
        with laspy.open(
            stream,
            mode="w",
            header=data.header,
            do_compress=compressed,
            closefd=False,
            encoding_errors="surrogateescape",
        ) as writer:
            writer.write_points(data.points)
            if data.header.version.minor >= 4 and data.evlrs:
                writer.write_evlrs(data.evlrs)
        complete(stream, date)
        stream.seek(0)
        with laspy.open(stream, closefd=False) as reader:  # laspy writes some extra bytes so that it can't read them
            if compressed and data.point_format.has_waveform_packet:
                _check_waves(data, reader.read())
            stream.seek(0, SEEK_END)
        if isinstance(stream, BytesIO) and stream is not file:
            file.write(stream.getbuffer())


def _check_waves(data: "LasData", written: "LasData") -> None:
    """Checks that what the compressor wrote of the packets of waveforms is read again: of points of several scanner
    channels lazrs garbles it."""
    names = data.point_format.dimension_names
    if lost := [name for name in names if np.asarray(data[name]).tobytes() != np.asarray(written[name]).tobytes()]:
        raise ValueError(f"the compressor would garble {', '.join(lost)}; choose .las")


@np.errstate(all="ignore")
def _positions(data: "LasData") -> dict[str, NDArray[np.float64]]:
    """The coordinates, which distinguish integers and are finite unless the header is corrupt."""
    arrays = {axis: np.asarray(data[axis], dtype=np.float64) for axis in POSITION}
    steps, offsets = data.header.scales, data.header.offsets
    if not (steps.all() and np.isfinite(steps).all() and all(np.isfinite(array).all() for array in arrays.values())):
        given = f"scales {', '.join(map(str, steps.tolist()))} and offsets {', '.join(map(str, offsets.tolist()))}"
        raise ValueError(f"expected scales other than 0 and finite coordinates, got {given}")
    raw = zip(arrays, RAW, steps.tolist(), offsets.tolist(), strict=True)
    return {axis: _rounded_once(arrays[axis], np.asarray(data[name]), step, offset) for axis, name, step, offset in raw}


def _dimension(data: "LasData", name: str) -> NDArray:
    """The numbers of a dimension; those of scaled extra bytes rounded once."""
    kind, values = data.point_format.dimension_by_name(name), np.asarray(data[name])
    if not kind.is_scaled:
        return values
    raw = data.points.array[name].reshape(len(values), -1)
    columns = zip(values.reshape(raw.shape).T, raw.T, kind.scales.tolist(), kind.offsets.tolist(), strict=True)
    return np.stack([_rounded_once(*column) for column in columns], axis=1).reshape(values.shape)


def _rounded_once(values: NDArray, raw: NDArray, step: float, offset: float) -> NDArray[np.float64]:
    """The numbers X s + o of integers X, rounded once where s and o have few decimals: 109.618, as laspy's ``values``
    are 109.61800000000001."""
    if raw.dtype.kind not in "iu" or not np.isfinite([step, offset]).all():
        return values
    exact = Decimal(repr(step)), Decimal(repr(offset))
    places = max(0, *(-int(each.as_tuple().exponent) for each in exact))
    factor, shift = (int(each.scaleb(places)) for each in exact)
    largest = max(abs(int(raw.min(initial=0))), abs(int(raw.max(initial=0)))) * abs(factor) + abs(shift)
    if largest >= DISTINCT or places > MOST_PLACES:
        return values
    return (raw.astype(np.int64) * factor + shift) / 10.0**places


def _fits(name: str, values: NDArray) -> bool:
    kind = exact_type(values, TYPES)
    return kind is not None and values[0].size <= WIDEST and len(name.encode()) <= LONGEST_NAME


def _normal_names(columns: Columns) -> tuple[str, ...]:
    """Names of normals: those of the file, or those that LAS programs use."""
    own = columns.origin.data.point_format.dimension_names if isinstance(columns.origin, LasOrigin) else ()
    return columns.normals if set(columns.normals) <= {*own} else columns.normal_names(NORMAL_DIMENSIONS)


def _changed(old: "LasData", columns: Columns) -> "LasData":
    """A copy of the file's points with new and changed columns."""
    import laspy

    header = _writable(deepcopy(old.header))
    _forget_copc(header)
    extra = list(old.point_format.extra_dimension_names)
    fixed = {*old.point_format.dimension_names, *POSITION} - {*extra}
    new = [name for name in columns.names if name not in fixed and (name not in extra or name in columns.changed)]
    if replaced := [name for name in new if name in extra]:
        header.remove_extra_dims(replaced)
    header.add_extra_dims([_extra(name, columns.table[name]) for name in new])
    points = laspy.ScaleAwarePointRecord.zeros(len(old.points), header=header)
    for name in points.array.dtype.names:
        if name in (old.points.array.dtype.names or ()) and name not in new:
            points.array[name] = old.points.array[name]
    data = laspy.LasData(header, points)
    for name in (*new, *(name for name in columns.changed if name in fixed)):
        data[name] = columns.table[name].astype(_extra(name, columns.table[name]).type.base)
    return data


def _new(columns: Columns) -> "LasData":
    """Points of other origin, on the finest grid of a power of ten that spans them."""
    import laspy

    names = {key_of(name): name for name in columns.names}
    header = laspy.LasHeader(version="1.4", point_format=_point_format(names))
    known = {key_of(name): name for name in header.point_format.dimension_names if name not in RAW}
    pos = columns.pos
    low, high = pos.min(axis=0), pos.max(axis=0)
    centre = low / 2 + high / 2
    header.offsets = np.where(np.abs(centre - np.floor(centre)) > high - low, centre, np.floor(centre))
    header.scales = _steps(np.maximum(high - header.offsets, header.offsets - low))
    places = {}
    for key, name in names.items():
        standard_name = known.get(key)
        if name not in POSITION and standard_name and _holds(header, standard_name, columns.table[name]):
            places[name] = standard_name
    extra = [name for name in columns.names if name not in POSITION and name not in places]
    # What a dimension of the format can't hold, such as an intensity below 0, stands beside it.
    places |= dict(zip(extra, fresh(extra, [*header.point_format.dimension_names]), strict=True))
    header.add_extra_dims([_extra(places[name], columns.table[name]) for name in extra])
    data = laspy.LasData(header, laspy.ScaleAwarePointRecord.zeros(len(pos), header=header))
    for index, axis in enumerate(POSITION):
        data[axis] = pos[:, index]
    for name, place in places.items():
        data[place] = columns.table[name]
    return data


def _point_format(keys: dict[str, str]) -> int:
    return 7 if {"red", "green", "blue"} <= keys.keys() else 6


def _holds(header: "LasHeader", name: str, values: NDArray) -> bool:
    """Whether a dimension of the point format represents these numbers exactly."""
    dimension = header.point_format.dimension_by_name(name)
    if values.ndim > 1 or values.dtype.kind not in "biuf":
        return False
    if dimension.kind.name == "FloatingPoint":
        return values.dtype.kind == "f" or exact_type(values, ("f8",)) is not None
    return bool(((values == np.floor(values)) & (values >= dimension.min) & (values <= dimension.max)).all())


def _steps(reach: NDArray) -> NDArray:
    """The smallest power of ten for each axis in whose multiples its extent fits 31 bits."""
    return 10.0 ** np.ceil(np.log10(np.where(reach > 0, reach, 1.0) / STEPS))


def _extra(name: str, values: NDArray) -> "ExtraBytesParams":
    import laspy

    kind = exact_type(values, TYPES)
    if kind is None:
        raise ValueError(f"expected numbers in {name}, got {values.dtype}")
    shape = values.shape[1:]
    return laspy.ExtraBytesParams(name=name, type=f"{int(np.prod(shape))}{kind.str[1:]}" if shape else kind)


def _writable(header: "LasHeader") -> "LasHeader":
    """The header in its version, or, if laspy does not write that with this point format, in the first that it does."""
    from laspy.header import Version
    from laspy.point.dims import VERSION_TO_POINT_FMT

    versions = [version for version, formats in VERSION_TO_POINT_FMT.items() if header.point_format.id in formats]
    if str(header.version) not in versions:
        header.set_version_and_point_format(Version.from_str(versions[0]), header.point_format)
    return header


def _forget_copc(header: "LasHeader") -> None:
    """Removes the octree of a COPC file, which is invalid for rewritten points: the file becomes a plain LAZ."""
    header.vlrs = [record for record in header.vlrs if record.user_id != "copc"]
    if header.evlrs:
        header.evlrs = type(header.evlrs)([record for record in header.evlrs if record.user_id != "copc"])
