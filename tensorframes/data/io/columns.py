"""The rows of a point file as named columns, independent of the format."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.axes import (
    NORMAL_VECTORS,
    NORMALS,
    POSITION_VECTORS,
    POSITIONS,
    Triples,
    find_triple,
    fresh,
    key_of,
)
from tensorframes.data.io.faces import Faces, Mesh
from tensorframes.data.io.shape import Shape, shape_name

POSITION = ("x", "y", "z")
NORMAL = ("nx", "ny", "nz")
OTHER_NORMAL = ("normal_x", "normal_y", "normal_z")
COLOUR = ("red", "green", "blue")


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
        other_content: content besides the points, which files of other formats cannot contain.
        mesh: the faces, which other kinds of mesh files can contain; None of a cloud.
        sensor: (3,) where the sensor was, or (N, 3) for each row; None if the file doesn't say.
        shape: (rows, columns) of an organised cloud, row by row; empty for others.
        notes: what is odd about the file.
    """

    table: NDArray
    origin: object = None
    suffix: str = ""
    changed: frozenset[str] = field(default=frozenset())
    other_content: tuple[str, ...] = ()
    mesh: Mesh | None = None
    sensor: NDArray[np.float64] | None = None
    shape: Shape = ()
    notes: tuple[str, ...] = ()

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
    def grid(self) -> Shape:
        """(rows, columns) of an organised cloud, if all its points are there."""
        return self.shape if prod(self.shape) == len(self.table) else ()

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

        They replace the file's normals, or are appended as nx, ny, nz; if the file has some of these, by other names.
        """
        names = self.normals or self.normal_names()
        old = [self.table.dtype[name].base for name in self.normals]
        kind = np.dtype("f8") if old and all(each.kind == "f" and each.itemsize == 8 for each in old) else "f4"
        values = np.asarray(normal).astype(kind)
        # The old columns are cast first, because `with_columns` preserves the type of a replaced column if it can.
        bare = self.cast(dict.fromkeys(self.normals, np.dtype(kind)))
        return bare.with_columns(dict(zip(names, values.T, strict=True)) if len(names) == 3 else {names[0]: values})

    def normal_names(self, names: tuple[str, str, str] = NORMAL) -> tuple[str, str, str]:
        """These names of normals, or others where a column that is no normal has one of them, whatever its case."""
        others = [name for name in self.names if name not in self.normals]
        return free_normals(others, names)

    def besides(self, own: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the columns that are neither the positions, nor the normals, nor ``own``."""
        return tuple(name for name in self.names if name not in (*self.position, *self.normals, *own))

    def without(self, names: tuple[str, ...]) -> "Columns":
        """The same rows without these columns, those of `beside`, and the shape."""
        fields = [(name, self.table.dtype[name]) for name in self.names if name not in names]
        table = np.empty(len(self.table), dtype=fields)
        for name, _ in fields:
            table[name] = self.table[name]
        mesh = None if self.mesh and self.mesh.name in names else self.mesh
        shape = () if self.shape and shape_name(self.shape) in names else self.shape
        other_content = tuple(name for name in self.other_content if name not in names)
        return replace(self, table=table, other_content=other_content, mesh=mesh, shape=shape)

    def renamed(self, names: Mapping[str, str]) -> "Columns":
        """The same rows with renamed columns; others that already have one of the new names make room for it."""
        names = {**self._moved(names.values(), names), **names}
        fields = [(names.get(name, name), self.table.dtype[name]) for name in self.names]
        table = np.empty(len(self.table), dtype=fields)
        for old in self.names:
            table[names.get(old, old)] = self.table[old]
        return replace(self, table=table)

    def cast(self, kinds: Mapping[str, np.dtype]) -> "Columns":
        """The same rows with columns of other types."""
        if not kinds:
            return self
        old = self.table.dtype
        fields = [
            (name, np.dtype((kinds[name], old[name].shape)) if name in kinds else old[name]) for name in self.names
        ]
        with np.errstate(all="ignore"):
            return replace(self, table=self.table.astype(fields))

    def split(self, name: str, parts: Mapping[str, NDArray]) -> "Columns":
        """The same rows with columns in the place of one; others that already have their names make room for them."""
        moved = self._moved(parts, (name,))
        arrays: dict[str, NDArray] = {}
        for each in self.names:
            arrays |= parts if each == name else {moved.get(each, each): self.table[each]}
        return replace(self, table=table_of(arrays))

    def _moved(self, new: Collection[str], old: Collection[str]) -> dict[str, str]:
        """Other names, with an underscore, for the columns that have one of the new names and are none of the old."""
        there = [name for name in self.names if name not in old]
        clashes = [name for name in there if name in new]
        names = fresh([f"{name}_" for name in clashes], {*there, *new})
        return dict(zip(clashes, names, strict=True))

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


def free_normals(others: Collection[str], names: tuple[str, str, str] = NORMAL) -> tuple[str, str, str]:
    """Names of normals beside ``others``, none of which differs from one of these in case or punctuation alone."""
    keys = {key_of(name) for name in others}
    return next(each for each in (names, NORMAL, OTHER_NORMAL, *NORMALS) if keys.isdisjoint(map(key_of, each)))


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
