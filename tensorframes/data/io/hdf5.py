"""HDF5, with h5py: points in datasets of one group; everything else in the file is preserved."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tensorframes.data.io.arrays import Found, all_arrays, find_points, find_position, new_arrays
from tensorframes.data.io.axes import NORMAL_VECTORS, fresh, key_of
from tensorframes.data.io.columns import Columns
from tensorframes.data.io.files import dataset_of, file_of
from tensorframes.data.io.shape import organised
from tensorframes.errors import UserError, needed_for

if TYPE_CHECKING:
    import h5py

SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, eq=False)
class Hdf5Origin:
    """A file: its bytes, the group of the points, and the points in it."""

    content: bytes
    group: str
    found: Found


class Datasets(Mapping[str, NDArray]):
    """The datasets directly in a group, read when asked for."""

    def __init__(self, group: "h5py.Group") -> None:
        self.group = group
        self.names = [name for name in group if hasattr(group.get(name), "shape")]

    def __getitem__(self, name: str) -> NDArray:
        values = np.asarray(self.group[name][()])
        return values.view(values.dtype.str) if values.dtype.kind in "biuf" else values  # without h5py's metadata

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class Hdf5Format:
    """The first group, the root before others, that has pos, points, xyz or the like (N, C), or x, y, z (N,) or (H, W).

    In a file without such names the only dataset of numbers (N, C). `FILE.h5:GROUP/NAME` names the dataset.
    """

    name = "HDF5"
    suffixes = (".h5", ".hdf5")
    refusal = ""

    def read(self, path: Path, content: bytes) -> Columns:
        """The points, with all other datasets of the same group that have one number or row per point."""
        if not content.startswith(SIGNATURE):
            raise ValueError("a file of another kind")
        with needed_for("HDF5 files", "hdf5"):
            import h5py
        with h5py.File(io.BytesIO(content), "r") as file:
            group, position = _located(path, file)
            found = find_points(path, Datasets(file[group]), position, _joined(group, ""))
            everything: list[str] = []
            file.visititems(lambda name, node: everything.append(f"/{name}") if hasattr(node, "shape") else None)
        read = {_joined(group, name) for name in found.places}
        other_content = tuple(f"dataset {name}" for name in everything if name not in read)
        origin, suffix = Hdf5Origin(content, group, found), file_of(path).suffix.lower()
        return Columns(found.table, origin, suffix, other_content=other_content, shape=organised(found.shape))

    def unkept(self, columns: Columns) -> tuple[str, ...]:
        """Columns that are not numeric."""
        return tuple(name for name in columns.names if columns.table.dtype[name].base.kind not in "biuf")

    def write(self, file: BinaryIO, columns: Columns, suffix: str) -> None:
        """The original file with new and changed datasets; other points as pos, normal, and the other columns."""
        with needed_for("HDF5 files", "hdf5"):
            import h5py
        origin = columns.origin if isinstance(columns.origin, Hdf5Origin) else None
        arrays = new_arrays(columns, origin.found) if origin else None
        if origin is None or arrays is None:
            origin, arrays = None, all_arrays(columns)
        stream = io.BytesIO(origin.content if origin else b"")
        with h5py.File(stream, "r+" if origin else "w") as store:
            group = store[origin.group] if origin else store
            for name, array in zip(_dataset_names([*arrays]), arrays.values(), strict=True):
                _replace(group, name, array)
        file.write(stream.getbuffer())


def _located(path: Path, file: "h5py.File") -> tuple[str, tuple[str, ...]]:
    """The group of the points, and the names of the datasets of positions."""
    if named := dataset_of(path):
        return _named(path, file, named)
    groups = ["/"]
    file.visititems(lambda name, node: None if hasattr(node, "shape") else groups.append(f"/{name}"))
    for group in groups:
        if position := find_position(list(Datasets(file[group]))):
            return group, position
    places = [(group, name) for group in groups for name in Datasets(file[group])]
    tables = [
        (group, name)
        for group, name in places
        if len(file[group][name].shape) >= 2 and key_of(name) not in NORMAL_VECTORS
    ]
    if len(tables) == 1:
        return tables[0][0], (tables[0][1],)
    # An organised cloud, or a batch of clouds, looks most like points.
    shapes = {place: file[place[0]][place[1]].shape for place in tables}
    images = [place for place, shape in shapes.items() if len(shape) == 3 and shape[2] >= 3]
    if len(images) == 1:
        return images[0][0], (images[0][1],)
    names = ", ".join(f"{_joined(*place)} {file[place[0]][place[1]].shape}" for place in places[:6]) or "none"
    raise UserError(f"{path}: expected a dataset points, xyz or pos, or FILE.h5:NAME, got {names}")


def _named(path: Path, file: "h5py.File", name: str) -> tuple[str, tuple[str, ...]]:
    """The group and the name of the dataset that the user has named."""
    place = "/" + name.strip("/")
    if place not in file or not hasattr(file[place], "shape"):
        raise UserError(f"{path}: expected a dataset {place} in the file, got none")
    group, _, last = place.rpartition("/")
    return group or "/", (last,)


def _joined(group: str, name: str) -> str:
    return f"{group.rstrip('/')}/{name}"


def _dataset_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names without the signs of paths: m_s for m/s."""
    odd = [name for name in names if "/" in name or name == "."]
    new = fresh([name.replace("/", "_").replace(".", "_") for name in odd], {*names} - {*odd})
    return tuple(dict(zip(odd, new, strict=True)).get(name, name) for name in names)


def _replace(group: "h5py.Group", name: str, array: NDArray) -> None:
    """Writes a dataset, compressed as the old one was, with the old one's attributes."""
    if name not in group:
        group.create_dataset(name, data=array)
        return
    old = group[name]
    attributes, packing, chunks = dict(old.attrs), old.compression, old.chunks is not None
    del group[name]
    new = group.create_dataset(name, data=array, compression=packing, chunks=True if chunks else None)
    for key, value in attributes.items():
        new.attrs[key] = value
