"""Concatenation of dataclasses of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

import torch

Rows = TypeVar("Rows")


def joined(parts: Sequence[Rows]) -> Rows:
    """The parts, instances of one dataclass of tensors, concatenated along their rows.

    A field that is None in one part must be None in all.
    """
    kind: Any = type(parts[0])
    columns = ([getattr(part, each.name) for part in parts] for each in fields(kind))
    return kind(*(None if column[0] is None else torch.cat(column) for column in columns))
