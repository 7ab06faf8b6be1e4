"""The rows of a point file as named columns, independent of the format."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.axes import (
    COLOUR_VECTORS,
    NORMAL_VECTORS,
    NORMALS,
    POSITION_VECTORS,
    POSITIONS,
    Triples,
    find_triple,
    key_of,
)
from tensorframes.data.io.faces import Faces, Mesh
from tensorframes.data.io.types import exact_type

POSITION = ("x", "y", "z")
NORMAL = ("nx", "ny", "nz")
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, eq=False)
class Columns:
    """The rows of a point file.

    Args:
        table: (N,) structured array with the file's columns, in its order and by its names; a column may have several
            numbers per row, or (PLY) lists of any length as objects.
        origin: content of the file besides the numbers (header, other elements, the text of the rows); it is written to
            files of the same format.
        suffix: the suffix of the file that was read, such as ".ply"; empty if there was none.
        changed: names of the columns that differ from the file.
        beside: content besides the points, which files of other formats cannot contain.
        mesh: the faces, which other kinds of mesh files can contain; None of a cloud.
    """

    table: NDArray
    origin: object = None
    suffix: str = ""
    changed: frozenset[str] = field(default=frozenset())
    beside: tuple[str, ...] = ()
    mesh: Mesh | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.table.dtype.names or ()

    @property
    def position(self) -> tuple[str, ...]:
        """Names of the position columns: three, or one of three numbers; empty if there are none."""
        return self._find(POSITIONS, POSITION_VECTORS)

    @property
    def normals(self) -> tuple[str, ...]:
        """Names of the normal columns: three, or one of three numbers; empty if there are none."""
        return self._find(NORMALS, NORMAL_VECTORS)

    @property
    def faces(self) -> Faces | None:
        """The faces of a mesh of these points, if they are sound."""
        return self.mesh.faces if self.mesh and self.mesh.points == len(self.table) else None

    @property
    def pos(self) -> NDArray[np.float64]:
        """(N, 3) positions."""
        return self._stacked(self.position)

    @property
    def normal(self) -> NDArray[np.float64] | None:
        """(N, 3) normals of the file, or None."""
        return self._stacked(self.normals) if self.normals else None

    def with_columns(self, values: Mapping[str, NDArray]) -> "Columns":
        """The same rows with columns replaced or appended.

        Args:
            values: a name and (N,) or (N, M) numbers for each column. The type of a replaced column is preserved if it
                represents the numbers exactly.
        """
        new = {name: np.asarray(array) for name, array in values.items()}
        kinds = {name: _kind(array, self.table, name) for name, array in new.items()}
        fields = [(name, kinds[name] if name in new else self.table.dtype[name]) for name in self.names]
        fields += [(name, kinds[name]) for name in new if name not in self.names]
        table = np.empty(len(self.table), dtype=fields)
        for name in table.dtype.names or ():
            table[name] = new[name] if name in new else self.table[name]
        return replace(self, table=table, changed=self.changed | new.keys())

    def with_normals(self, normal: NDArray) -> "Columns":
        """The same rows with normals (N, 3): float32, or float64 if those of the file are.

        They replace the file's normals, or are appended as nx, ny, nz.
        """
        names = self.normals or NORMAL
        old = [self.table.dtype[name].base for name in self.normals]
        kind = np.dtype("f8") if old and all(each.kind == "f" and each.itemsize == 8 for each in old) else "f4"
        values = np.asarray(normal).astype(kind)
        # The old columns are cast first, because `with_columns` preserves the type of a replaced column if it can.
        bare = replace(self, table=_cast(self.table, dict.fromkeys(self.normals, np.dtype(kind))))
        return bare.with_columns(dict(zip(names, values.T, strict=True)) if len(names) == 3 else {names[0]: values})

    def besides(self, own: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the columns that are neither the positions, nor the normals, nor ``own``."""
        return tuple(name for name in self.names if name not in (*self.position, *self.normals, *own))

    def without(self, names: tuple[str, ...]) -> "Columns":
        """The same rows without these columns, and without those of `beside`."""
        fields = [(name, self.table.dtype[name]) for name in self.names if name not in names]
        table = np.empty(len(self.table), dtype=fields)
        for name, _ in fields:
            table[name] = self.table[name]
        mesh = None if self.mesh and self.mesh.name in names else self.mesh
        return replace(self, table=table, beside=tuple(name for name in self.beside if name not in names), mesh=mesh)

    def renamed(self, names: Mapping[str, str]) -> "Columns":
        """The same rows with renamed columns."""
        fields = [(names.get(name, name), self.table.dtype[name]) for name in self.names]
        table = np.empty(len(self.table), dtype=fields)
        for old in self.names:
            table[names.get(old, old)] = self.table[old]
        return replace(self, table=table)

    def _find(self, triples: Triples, vectors: tuple[str, ...]) -> tuple[str, ...]:
        kinds = self.table.dtype
        scalars = [name for name in self.names if kinds[name].shape == () and kinds[name].kind in "biuf"]
        if (found := find_triple(scalars, triples)) is not None:
            return found
        whole = (name for name in self.names if kinds[name].shape == (3,) and key_of(name) in vectors)
        return tuple(whole)[:1]

    def _stacked(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        columns = self.table[names[0]] if len(names) == 1 else np.stack([self.table[name] for name in names], axis=1)
        with np.errstate(invalid="ignore"):  # NaNs of any kind
            return columns.astype(np.float64)


def standard(columns: Columns, normal: tuple[str, str, str] = NORMAL) -> Columns:
    """The columns for a file of another format: positions x, y, z and normals `normal`, three columns each.

    Integer positions become floating-point numbers that represent them exactly, as programs expect. A column of colours
    becomes red, green, blue, and one of one number per row (N, 1) is (N,).
    """
    kinds = columns.table.dtype
    if any(kinds[name].shape == (1,) for name in columns.names):
        flat = {
            name: columns.table[name].reshape(-1) if kinds[name].shape == (1,) else columns.table[name]
            for name in columns.names
        }
        columns = replace(columns, table=table_of(flat))
    colours = [
        name for name in columns.names if columns.table.dtype[name].shape == (3,) and key_of(name) in COLOUR_VECTORS
    ]
    if len(colours) == 1 and not {*COLOURS} & {*columns.names}:
        columns = _split(columns, colours[0], COLOURS)
    for found, names in ((columns.position, POSITION), (columns.normals, normal)):
        if len(found) == 1:
            columns = _split(columns, found[0], names)
        elif found:
            columns = columns.renamed(_without_clashes(columns.names, dict(zip(found, names, strict=True))))
    held = {name: exact_type(columns.table[name], ("f4", "f8")) for name in columns.position}
    return replace(columns, table=_cast(columns.table, {name: kind for name, kind in held.items() if kind is not None}))


def plain(table: NDArray) -> NDArray:
    """The named columns as one (N, C) array of their common type."""
    return np.stack([table[name] for name in table.dtype.names or ()], axis=1)


def table_of(arrays: Mapping[str, NDArray]) -> NDArray:
    """(N,) structured array of the (N,) or (N, M) arrays by name."""
    count = len(next(iter(arrays.values()))) if arrays else 0
    table = np.empty(count, dtype=[(name, array.dtype, array.shape[1:]) for name, array in arrays.items()])
    for name, array in arrays.items():
        table[name] = array
    return table


def _kind(values: NDArray, table: NDArray, name: str) -> np.dtype:
    """The type of a column of these values; that of the table's column of this name if it represents them exactly."""
    if name in (table.dtype.names or ()):
        old = table.dtype[name]
        if old.shape == values.shape[1:] and old.base.kind in "biuf":
            with np.errstate(all="ignore"):
                if np.array_equal(values.astype(old.base).astype(values.dtype), values, equal_nan=True):
                    return old
    return np.dtype((values.dtype, values.shape[1:]))


def _cast(table: NDArray, kinds: Mapping[str, np.dtype]) -> NDArray:
    if not kinds:
        return table
    fields = [
        (name, np.dtype((kinds[name], table.dtype[name].shape)) if name in kinds else table.dtype[name])
        for name in table.dtype.names or ()
    ]
    with np.errstate(all="ignore"):
        return table.astype(fields)


def _split(columns: Columns, name: str, parts: tuple[str, ...]) -> Columns:
    """A column of several numbers split into one column per number."""
    arrays: dict[str, NDArray] = {}
    for each in columns.names:
        if each == name:
            arrays |= {part: columns.table[name][:, index] for index, part in enumerate(parts)}
        else:
            arrays[each] = columns.table[each]
    return replace(columns, table=table_of(arrays))


def _without_clashes(names: tuple[str, ...], new: Mapping[str, str]) -> dict[str, str]:
    """The renaming; other columns that already have one of the new names get an underscore."""
    clashes = {name: f"{name}_" for name in names if name in new.values() and name not in new}
    return {**clashes, **new}
