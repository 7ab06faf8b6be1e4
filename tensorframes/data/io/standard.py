"""The names and types of a file of another format."""

from tensorframes.data.io.axes import COLOUR_VECTORS, COLOURS, find_triple, key_of
from tensorframes.data.io.columns import COLOUR, NORMAL, POSITION, Columns
from tensorframes.data.io.types import exact_type


def standard(columns: Columns, normal: tuple[str, str, str] = NORMAL) -> Columns:
    """The columns for a file of another format: positions x, y, z, normals `normal`, if no other column has such a
    name, and colours red, green, blue, three columns each.

    Integer positions become floating-point numbers that represent them exactly, as programs expect. A column of one
    number per row (N, 1) is (N,).
    """
    for name in columns.names:
        if columns.table.dtype[name].shape == (1,):
            columns = columns.split(name, {name: columns.table[name].reshape(-1)})
    for found, names in (
        (_colours(columns), COLOUR),
        (columns.position, POSITION),
        (columns.normals, columns.normal_names(normal)),
    ):
        if len(found) == 1:
            values = columns.table[found[0]]
            columns = columns.split(found[0], {part: values[:, index] for index, part in enumerate(names)})
        elif found:
            columns = columns.renamed(dict(zip(found, names, strict=True)))
    held = {name: exact_type(columns.table[name], ("f4", "f8")) for name in columns.position}
    return columns.cast({name: kind for name, kind in held.items() if kind is not None})


def _colours(columns: Columns) -> tuple[str, ...]:
    """Names of the colour columns: three, or one of three numbers; empty if there are none, or those of the names."""
    kinds = columns.table.dtype
    if {*COLOUR} & {*columns.names}:
        return ()
    scalars = [name for name in columns.names if kinds[name].shape == () and kinds[name].kind in "iuf"]
    whole = tuple(name for name in columns.names if kinds[name].shape == (3,) and key_of(name) in COLOUR_VECTORS)
    return find_triple(scalars, COLOURS) or (whole if len(whole) == 1 else ())
