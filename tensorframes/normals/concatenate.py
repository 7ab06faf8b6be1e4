"""Concatenation of dataclasses of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

import torch

RecordT = TypeVar("RecordT")


def concatenated(parts: Sequence[RecordT]) -> RecordT:
    """Instances of one dataclass of tensors, concatenated along the first dimension of each field.

    A field that is None in one part must be None in all.
    """
    cls: Any = type(parts[0])
    columns = ([getattr(part, field.name) for part in parts] for field in fields(cls))
    return cls(*(None if column[0] is None else torch.cat(column) for column in columns))
