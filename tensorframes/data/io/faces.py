"""The faces of meshes, which are kept when a mesh is written in another mesh format."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Faces:
    """Polygons of F faces with C corners in all.

    Args:
        lengths: (F,) numbers of corners.
        corners: (C,) rows of the points, from 0, one face after the other.
    """

    lengths: NDArray[np.int64]
    corners: NDArray[np.int64]

    @staticmethod
    def of(rows: Sequence[NDArray | Sequence[int]]) -> "Faces":
        """The faces with these corners."""
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        return Faces(lengths, np.concatenate([np.empty(0, np.int64), *rows]).astype(np.int64))

    def texts(self, begin: int = 0) -> Iterator[list[str]]:
        """The corners of each face, counted from `begin`."""
        numbers, place = [str(row) for row in (self.corners + begin).tolist()], 0
        for length in self.lengths.tolist():
            yield numbers[place : place + length]
            place += length

    def lists(self) -> tuple[str, bytes]:
        """The type of the lengths, as NumPy spells it, and the bytes of little-endian lists of int32 in a PLY file."""
        kind = "u1" if (self.lengths < 256).all() else "i4"
        size = np.dtype(kind).itemsize
        counts = np.zeros(size * len(self.lengths) + 4 * len(self.corners), dtype=bool)
        before = 4 * (np.cumsum(self.lengths) - self.lengths) + size * np.arange(len(self.lengths))
        counts[(before[:, None] + np.arange(size)).ravel()] = True
        content = np.empty(len(counts), dtype=np.uint8)
        content[counts] = np.frombuffer(self.lengths.astype(f"<{kind}").tobytes(), np.uint8)
        content[~counts] = np.frombuffer(self.corners.astype("<i4").tobytes(), np.uint8)
        return kind, content.tobytes()


@dataclass(frozen=True, eq=False)
class Mesh:
    """The faces of a file, parsed when asked for.

    Args:
        name: of the faces in messages.
        points: number of points.
        parse: reads the faces; raises ValueError, IndexError or OverflowError if they are none.
    """

    name: str
    points: int
    parse: Callable[[], Faces]

    @cached_property
    def faces(self) -> Faces | None:
        """The faces; None if they are broken, or have corners that are none of the points."""
        try:
            found = self.parse()
        except (ValueError, IndexError, OverflowError):
            return None
        there = (found.corners >= 0) & (found.corners < self.points)
        return found if there.all() else None
