"""The networks of the matrix: frames, messages and training rotation, as overrides of ``tensorframes train``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FRAMES = ("learned", "pca", "nearest", "random")
TITLES = {"learned": "learned", "pca": "PCA", "nearest": "nearest-neighbour", "random": "random local"}
ROTATIONS = {"off": "none", "z": "z", "so3": "SO(3)", "o3": "O(3)"}


@dataclass(frozen=True)
class Network:
    """One network of the matrix, whatever its backbone.

    Args:
        name: in the names of folders. title: in tables.
        frames: none, learned, pca, nearest or random. messages: scalar or tensor.
        trained: training rotation, a choice of data/augmentation. extra: further overrides.
    """

    name: str
    title: str
    frames: str
    messages: str
    trained: str = "off"
    extra: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether it is equivariant to all rotations and reflections, exactly: so with frames that turn along."""
        return self.frames in ("learned", "pca", "nearest")

    def overrides(self, frames: Mapping[str, Sequence[str]]) -> list[str]:
        """Overrides of ``tensorframes train``; those of each kind of frames are given."""
        return [*frames[self.frames], f"messages={self.messages}", f"data/augmentation={self.trained}", *self.extra]


def plain(trained: str) -> Network:
    """A network without frames."""
    name = "plain" if trained == "off" else f"plain_{trained}"
    return Network(name, f"no frames, trained under {ROTATIONS[trained]}", "none", "scalar", trained)


def framed(frames: str, messages: str) -> Network:
    """A network in local frames; with exact ones, augmentation would change nothing."""
    return Network(f"{frames}_{messages}", f"{TITLES[frames]} frames, {messages} messages", frames, messages)


def shared(name: str, title: str, *shares: float) -> Network:
    """Learned frames and tensors of given shares of the width."""
    text = ",".join(map(str, shares))
    return Network(name, title, "learned", "tensor", extra=(f"messages.shares=[{text}]",))


PLAIN = tuple(plain(trained) for trained in ROTATIONS)
FRAMED = tuple(framed(frames, messages) for frames in FRAMES for messages in ("scalar", "tensor"))
REFINED = Network(
    "refined", "learned frames, tensor messages, refined", "learned", "tensor", extra=("backbone.refine=true",)
)
TENSORS = (
    shared("vectors", "vectors only", 1.0),
    shared("to_order_1", "scalars and vectors", 0.5),
    shared("to_order_3", "scalars to tensors of order 3", 0.15, 0.2, 0.45),
)
NETWORKS = {network.name: network for network in (*PLAIN, *FRAMED, REFINED, *TENSORS)}

BLOCKS = {
    "networks": ("plain", "plain_so3", "plain_o3", "learned_scalar", "learned_tensor", "refined"),
    "frames": tuple(network.name for network in FRAMED),
    "backbones": ("plain_so3", "learned_scalar", "learned_tensor"),
    "tensors": ("learned_scalar", "vectors", "to_order_1", "learned_tensor", "to_order_3"),
    "rotations": ("plain", "plain_z", "plain_so3", "learned_tensor"),
    "data": ("plain_so3", "learned_tensor"),
}
"""The networks of each block."""
