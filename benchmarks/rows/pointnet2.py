"""A training step of PointNet++ in tensor frames over that of the plain network, of the same widths."""

from collections.abc import Iterator

from benchmarks.harness import Row, Settings, interleaved, ratio
from benchmarks.networks import PLAIN, TENSOR, tori, trainer

OVERRIDES = (
    "task=unoriented_vector",  # no plane is fitted, which would cost both the same
    "features=constant",
    "backbone=pointnet2",
    "data.samples.patch_points=1024",
    "data.samples.loss_share=1.0",
)


def measured(settings: Settings) -> Iterator[Row]:
    """Forward, backward and optimiser on whole clouds of 1,024 points."""
    batch_size = settings.size(16 if settings.device.type == "cuda" else 4, 1)
    widths = "backbone.widths=[8,8,8,8]" if settings.quick else "backbone.widths=[64,128,192,256]"
    clouds = tori(4, settings.size(1024, 256))
    networks = {
        name: trainer([*OVERRIDES, widths, *given], clouds, batch_size, settings.device)
        for name, given in (("frames", TENSOR), ("plain", PLAIN))
    }
    works = {name: network.step for name, network in networks.items()}
    taken = interleaved(works, settings.size(9, 2), settings.device)
    note = f"batch of {batch_size}, {min(taken['frames']):.3f} and {min(taken['plain']):.3f} s"
    what = "PointNet++: tensor frames over plain, training step"
    yield ratio(what, 1.35, taken["frames"], taken["plain"], not settings.quick, note)
