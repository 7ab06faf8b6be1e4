"""PCPNet's dataset (Guerrero, Kleiman, Ovsjanikov, Mitra 2018), and any other in its layout.

NAME.xyz and NAME.normals hold three numbers a row, NAME.pidx the rows that are scored (absent: all). A list NAME.txt
holds one cloud's name a line. The end of a name is its category.

The original validation lists name test shapes, so by default validation clouds are held out of the training list. The
layout does not mark clouds with inconsistent signs of normals: name them in `unoriented`, or one a line in
ROOT/unoriented.txt; the oriented loss and metric leave them out.
"""

import logging
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from tensorframes.data.datasets.cache import Source, cache_each, cache_folder, eval_count
from tensorframes.data.datasets.cleaning import Cleaned, clean
from tensorframes.data.datasets.locate import Layout, Origin, locate
from tensorframes.data.datasets.sequence import CachedClouds, Entry
from tensorframes.data.datasets.splits import check_share, held_out
from tensorframes.data.io.lists import read_names, read_rows, read_values
from tensorframes.data.transforms.corruption import PROTOCOL_SUFFIX
from tensorframes.errors import UserError
from tensorframes.words import counted

SOURCES = (
    "https://geometry.cs.ucl.ac.uk/projects/2018/pcpnet/pclouds.zip",
    "http://geometry.cs.ucl.ac.uk/projects/2018/pcpnet/pclouds.zip",
)
UNORIENTED = "unoriented.txt"


class PCPNet:
    """The splits of PCPNet's dataset, each read on first use.

    Args:
        root: the folder of the files, or its parent; they are downloaded to it if they are absent.
        train_list: name of the training list, with or without .txt.
        val_list: name of the validation list; None holds clouds out of the training list.
        test_list: name of the test list.
        val_share: part of the training list's shapes held out if val_list is None, all variants of a shape together
            (splits.held_out of the names without the suffix of the variant).
        seed: of val_share.
        unoriented: names or patterns (bunny*) of clouds whose normals have inconsistent signs.
        archive: a local pclouds.zip.
        sources: addresses of pclouds.zip, tried in order.
        sha256: the archive's checksum, if known.
        size: the archive's size in bytes, if known.
        cache_dir: folder for the parsed clouds; None: the user's cache (``cache_folder``).
    """

    def __init__(
        self,
        root: str | Path,
        train_list: str = "trainingset_vardensity_whitenoise",
        val_list: str | None = None,
        test_list: str = "testset_all",
        val_share: float = 0.125,
        seed: int = 0,
        unoriented: Sequence[str] = (),
        archive: str | Path | None = None,
        sources: Sequence[str] = SOURCES,
        sha256: str | None = None,
        size: int | None = None,
        cache_dir: str | Path | None = None,
    ) -> None:
        check_share(val_share)
        self.root = Path(root)
        self.train_list, self.val_list, self.test_list = train_list, val_list, test_list
        self.val_share, self.seed = val_share, seed
        self.unoriented = (unoriented,) if isinstance(unoriented, str) else tuple(unoriented)
        self.origin = Origin(Path(archive) if archive else None, tuple(sources), sha256, size)
        self.cache_dir = cache_dir

    @cached_property
    def folder(self) -> Path:
        """The folder of the files; the first use downloads or unpacks them if they are absent."""
        layout = Layout("PCPNet", "NAME.xyz, NAME.normals, NAME.pidx, and lists such as testset_all.txt", _holds)
        return locate(self.root, layout, self.origin)

    @cached_property
    def train(self) -> CachedClouds:
        """The training clouds, without those held out if there is no validation list."""
        names = read_list(self.folder, self.train_list)
        return self._clouds(self.train_list, [name for name in names if shape_of(name) not in self._held_out])

    @cached_property
    def val(self) -> CachedClouds:
        """The validation clouds."""
        if self.val_list is not None:
            return self._evaluated(self.val_list, read_list(self.folder, self.val_list))
        names = [name for name in read_list(self.folder, self.train_list) if shape_of(name) in self._held_out]
        logging.getLogger(__name__).info("held out of %s for validation: %s", self.train_list, ", ".join(names))
        return self._evaluated(f"{self.train_list} (held out)", names)

    @cached_property
    def test(self) -> CachedClouds:
        """The test clouds."""
        return self._evaluated(self.test_list, read_list(self.folder, self.test_list))

    @cached_property
    def _held_out(self) -> set[str]:
        if self.val_list is not None:
            return set()
        return held_out(map(shape_of, read_list(self.folder, self.train_list)), self.val_share, self.seed)

    def _evaluated(self, which: str, names: Sequence[str]) -> CachedClouds:
        clouds = self._clouds(which, names)
        if empty := [entry.name for entry in clouds.entries if eval_count(entry.cache, entry.name) == 0]:
            more = f" and {len(empty) - 3} more" if len(empty) > 3 else ""
            there = f"{', '.join(empty[:3])}{more}"
            raise UserError(f"{self.folder}: expected rows to score that can be used, got none in .pidx of {there}")
        return clouds

    def _clouds(self, which: str, names: Sequence[str]) -> CachedClouds:
        check_files(self.folder, which, names)
        sources = [Source(name, files_of(self.folder, name), Reader(self.folder, name)) for name in names]
        unscored = [name for name in names if not (self.folder / f"{name}.pidx").is_file()]
        if unscored:
            logging.getLogger(__name__).warning(
                "%s: %d of %s without .pidx: all rows are scored", which, len(unscored), counted(len(names), "cloud")
            )
        if self.unoriented:
            check_marks(self.unoriented, [file.stem for file in self.folder.glob("*.xyz")], self.folder)
        files = cache_each(which, sources, cache_folder(self.root, self.cache_dir))
        marks = marks_of(self.folder, self.unoriented)
        return CachedClouds(
            Entry(name, file, is_oriented(name, marks), category_of(name))
            for name, file in zip(names, files, strict=True)
        )


class Reader:
    """Reads and cleans one cloud of the layout when called."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name

    def __call__(self) -> Cleaned:
        """The cloud. Raises UserError that names the file and, if there is one, the line of a fault."""
        pos = read_values(self._file("xyz"), 3)
        normal = read_values(self._file("normals"), 3)
        if len(normal) != len(pos):
            raise UserError(f"{self._file('normals')}: expected {len(pos)} rows as in .xyz, got {len(normal)}")
        pidx = self._file("pidx")
        eval_index = read_rows(pidx) if pidx.is_file() else None
        return clean(str(pidx if eval_index is not None else self._file("xyz")), pos, normal, eval_index)

    def _file(self, kind: str) -> Path:
        return self.folder / f"{self.name}.{kind}"


def files_of(folder: Path, name: str) -> tuple[Path, ...]:
    """The files of one cloud: .xyz, .normals and, if it exists, .pidx."""
    pidx = folder / f"{name}.pidx"
    return (folder / f"{name}.xyz", folder / f"{name}.normals", *([pidx] if pidx.is_file() else []))


def read_list(folder: Path, name: str) -> list[str]:
    """The names in a list given with or without .txt.

    Raises:
        UserError: it is empty or missing; the error names the lists that exist.
    """
    file = folder / (name if name.endswith(".txt") else f"{name}.txt")
    if not file.is_file():
        there = sorted(path.stem for path in folder.glob("*.txt") if path.name != UNORIENTED)
        raise UserError(f"{folder}: expected one of the lists {', '.join(there) or '(there is none)'}, got {name}")
    return read_names(file)


def check_files(folder: Path, which: str, names: Sequence[str]) -> None:
    """Raises a UserError that names the first missing files of a list, if any."""
    needed = [folder / f"{name}.{kind}" for name in names for kind in ("xyz", "normals")]
    if missing := [file.name for file in needed if not file.is_file()]:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise UserError(f"{folder}: expected the files that list {which} names, no {', '.join(missing[:5])}{more}")


def marks_of(folder: Path, given: Sequence[str]) -> tuple[str, ...]:
    """Names and patterns of unoriented clouds: `given` and those in FOLDER/unoriented.txt."""
    file = folder / UNORIENTED
    try:
        named = file.is_file() and bool(file.read_bytes().strip())
    except OSError:
        named = True  # its reader raises the error
    return (*given, *(read_names(file) if named else ()))


def check_marks(given: Sequence[str], names: Collection[str], folder: Path) -> None:
    """Raises UserError if a name or pattern of unoriented clouds matches none of a folder's."""
    for mark in given:
        if all(is_oriented(name, (mark,)) for name in names):
            raise UserError(f"expected data.unoriented to name clouds in {folder}, got {mark}, which matches none")


def is_oriented(name: str, marks: Sequence[str]) -> bool:
    """Whether no mark matches the name."""
    return not any(fnmatchcase(name, mark) for mark in marks)


def category_of(name: str) -> str:
    """The category by the end of a name; a noise level that is not the protocol's is a category of its own."""
    for category, suffix in sorted(PROTOCOL_SUFFIX.items(), key=lambda item: -len(item[1])):
        if suffix and name.endswith(suffix):
            return category
    return name[name.index("noise_white_") :] if "_noise_white_" in name else "no_noise"


def shape_of(name: str) -> str:
    """The name without the suffix of the variant: bunny100k of bunny100k_noise_white_1.00e-02."""
    return name.split("_noise_white_")[0].split("_ddist_minmax")[0]


def _holds(folder: Path) -> bool:
    lists = ("trainingset_*.txt", "validationset_*.txt", "testset_*.txt")
    return any(next(folder.glob(pattern), None) is not None for pattern in ("*.xyz", *lists))
