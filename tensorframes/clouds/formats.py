"""A user's point file in, its columns out, and back: every column that is not touched is kept as it was."""

from pathlib import Path
from types import ModuleType

import numpy as np

from tensorframes.clouds.arrays import read_npy, read_npz, write_npy, write_npz
from tensorframes.clouds.columns import NORMAL, POSITION, Columns, named, plain
from tensorframes.clouds.text import TextTable, read_bytes, read_table, write_table
from tensorframes.errors import UserError

TEXT = (".xyz", ".txt", ".csv", ".asc", ".pts")
SUFFIXES = (".ply", ".npy", ".npz", ".pcd", *TEXT)


def read_cloud(path: str | Path) -> Columns:
    """Reads PLY, NPY, NPZ, text (.xyz .txt .csv .asc .pts; white space or commas) and, with open3d, PCD.

    Text without a line of names: columns 1-3 are the position, and 4-6 the normal where most of these rows are of
    unit length (otherwise they are colours or the like, and called c4, c5, ...). An NPY array (N, C) is read the same
    way; an NPZ holds pos (or points, xyz) and perhaps normal (or normals).

    Raises:
        UserError: one line with the file's name on why it can't be read.
    """
    path = Path(path)
    readers = {".ply": _read_ply, ".npy": read_npy, ".npz": read_npz, ".pcd": _read_pcd}
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path}: expected a file of type {', '.join(SUFFIXES)}, got {path.suffix or 'none'}")
    columns = readers.get(suffix, _read_text)(path)
    if missing := [name for name in POSITION if name not in (columns.table.dtype.names or ())]:
        raise UserError(f"{path}: expected columns x, y, z, got no {', '.join(missing)}")
    if len(columns.table) == 0:
        raise UserError(f"{path}: expected points, got none")
    return columns


def write_cloud(path: str | Path, columns: Columns) -> None:
    """Writes the rows in the format of the name's ending; PLY, NPZ and text keep what came from a file of that kind.

    Text gets a line of names where more than x y z nx ny nz is in it, so that it is read back the same.

    Raises:
        UserError: the ending is unknown, or the file can't be written.
    """
    path = Path(path)
    writers = {".ply": _write_ply, ".npy": write_npy, ".npz": write_npz, ".pcd": _write_pcd}
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: expected a file of type {', '.join(SUFFIXES)}, got {path.suffix or 'none'}")
    try:
        writers.get(path.suffix.lower(), _write_text)(path, columns)
    except OSError as error:
        raise UserError(f"{path}: can't be written: {error.strerror or error}") from error


def _read_text(path: Path) -> Columns:
    table = read_table(path)
    if table.values.shape[1] < 3:
        raise UserError(f"{path}: expected at least 3 columns (x y z), got {table.values.shape[1]}")
    return Columns(named(table.values, table.names), table)


def _write_text(path: Path, columns: Columns) -> None:
    names = columns.table.dtype.names
    origin = columns.origin if isinstance(columns.origin, TextTable) else TextTable(np.empty((0, 1)))
    comma = origin.comma or path.suffix.lower() == ".csv"
    leading = origin.leading[:-1] if origin.names else origin.leading
    if origin.names or names not in (POSITION, POSITION + NORMAL):
        mark = "" if origin.names and not origin.leading[-1].lstrip().startswith(("#", "//")) else "# "
        leading = (*leading, mark + ("," if comma else " ").join(names))
    write_table(path, TextTable(plain(columns.table).astype(np.float64), comma=comma, leading=leading))


def _read_ply(path: Path) -> Columns:
    from plyfile import PlyData, PlyParseError

    read_bytes(path)
    try:
        ply = PlyData.read(str(path), mmap=False)
    except (PlyParseError, ValueError, UnicodeDecodeError, MemoryError) as error:
        raise UserError(f"{path}: expected a PLY file, got: {error}") from error
    if "vertex" not in ply:
        raise UserError(f"{path}: expected a PLY file with an element vertex, got {[e.name for e in ply.elements]}")
    return Columns(ply["vertex"].data, ply)


def _write_ply(path: Path, columns: Columns) -> None:
    from plyfile import PlyData, PlyElement, PlyListProperty

    old = columns.origin if isinstance(columns.origin, PlyData) else PlyData([])
    vertex = next((element for element in old.elements if element.name == "vertex"), None)
    lists = {p.name: p for p in vertex.properties if isinstance(p, PlyListProperty)} if vertex else {}
    new = PlyElement.describe(
        columns.table,
        "vertex",
        len_types={name: p.len_dtype for name, p in lists.items()},
        val_types={name: p.val_dtype for name, p in lists.items()},
        comments=vertex.comments if vertex else [],
    )
    elements = [new if element.name == "vertex" else element for element in old.elements] or [new]
    # plyfile swaps no bytes of the numbers that stand beside a list: such a big-endian file would come out as nonsense.
    mixed = any(len({isinstance(p, PlyListProperty) for p in element.properties}) == 2 for element in elements)
    order = "<" if old.byte_order == ">" and mixed else old.byte_order
    PlyData(elements, old.text, order, old.comments, old.obj_info).write(str(path))


def _open3d(path: Path) -> ModuleType:
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise UserError(
            f"{path}: PCD files need open3d (pip install open3d-cpu), which can't be imported here ({error}); "
            "or convert the file to PLY"
        ) from error
    return open3d


def _read_pcd(path: Path) -> Columns:
    open3d = _open3d(path)
    read_bytes(path)
    with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
        cloud = open3d.t.io.read_point_cloud(str(path))
    if "positions" not in cloud.point:
        raise UserError(f"{path}: expected a PCD file with x y z")
    arrays = {key: cloud.point[key].numpy() for key in cloud.point}
    known = {"positions": POSITION, "normals": NORMAL, "colors": ("red", "green", "blue")}
    fields = [
        (known[key][index] if key in known else key, array[:, index])
        for key, array in sorted(arrays.items(), key=lambda item: [*known, item[0]].index(item[0]))
        for index in range(array.shape[1])
    ]
    table = np.empty(len(cloud.point.positions), dtype=[(name, values.dtype) for name, values in fields])
    for name, values in fields:
        table[name] = values
    return Columns(table)


def _write_pcd(path: Path, columns: Columns) -> None:
    open3d = _open3d(path)
    table = columns.table
    grouped = {"positions": POSITION, "normals": NORMAL, "colors": ("red", "green", "blue")}
    cloud = open3d.t.geometry.PointCloud()
    for key, names in grouped.items():
        if set(names) <= set(table.dtype.names):
            cloud.point[key] = open3d.core.Tensor(plain(table[list(names)]))
    for name in table.dtype.names:
        if not any(name in names for names in grouped.values()):
            cloud.point[name] = open3d.core.Tensor(np.ascontiguousarray(table[name])[:, None])
    if not open3d.t.io.write_point_cloud(str(path), cloud):
        raise OSError("open3d refused")
