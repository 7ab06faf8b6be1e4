"""Fixtures that every room's tests share."""

import random
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Every test draws the same, whichever tests ran before it in its process."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout under test."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real clouds beside the checkout; tests that need them skip where they are absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real clouds (../shared/data) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def open3d() -> ModuleType:
    """open3d, for tests marked ``open3d``; they skip where it is absent or lacks a library of the system."""
    try:
        import open3d
    except (ImportError, OSError) as error:
        pytest.skip(f"open3d can't be imported: {error}")
    return open3d
