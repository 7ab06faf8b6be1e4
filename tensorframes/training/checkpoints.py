"""Checkpoints written whole or not at all."""

import io
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins import TorchCheckpointIO

from tensorframes.atomic import replacing


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside the old one, then renames it (`tensorframes.atomic`).

    Lightning's own copies it from another file system, and leaves half of it on a full disk.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Saves ``checkpoint`` at ``path``.

        Raises:
            OSError: the disk is full, or the folder can't be written. The old file is unchanged.
        """
        content = io.BytesIO()  # torch hides the system's errors behind its own
        torch.save(checkpoint, content)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(content.getbuffer())
