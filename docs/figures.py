"""Draws the figures of the method: ``python docs/figures.py [FOLDER]``, by default docs/images."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from tensorframes.frames import Frames
from tensorframes.geometry import build_hierarchy
from tensorframes.reps import TensorReps

INK, FAINT, FILL, RED, BLUE = "#1f2430", "#6b7280", "#f1f5f9", "#b3244f", "#2563eb"
BOXES = (
    ("geometry", "neighbours, levels,\nscale, profile"),
    ("frames", "an orthonormal frame\nat every point"),
    ("backbone", "tensor messages\nbetween frames"),
    ("head", "candidate planes,\nweighted fits, selection"),
)


def arrow(axes: Axes, start: np.ndarray, step: np.ndarray, colour: str, width: float = 1.6) -> None:
    """An arrow from a point."""
    style = {"arrowstyle": "-|>", "color": colour, "lw": width, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11}
    axes.annotate("", xy=start + step, xytext=start, arrowprops=style)


def pipeline() -> Figure:
    """The four parts of the estimator, and what passes between them."""
    figure, axes = plt.subplots(figsize=(10.6, 1.75))
    for number, (title, text) in enumerate(BOXES):
        left = 2.6 * number
        axes.add_patch(FancyBboxPatch((left, 0), 2.0, 1.0, boxstyle="round,pad=0.06", fc=FILL, ec=INK, lw=1.1))
        axes.text(left + 1, 0.76, title, ha="center", va="center", weight="bold", color=INK, size=11)
        axes.text(left + 1, 0.34, text, ha="center", va="center", color=INK, size=8)
        if number:
            arrow(axes, np.array([left - 0.52, 0.5]), np.array([0.44, 0.0]), INK)
    arrow(axes, np.array([-0.55, 0.5]), np.array([0.47, 0.0]), INK)
    arrow(axes, np.array([9.88, 0.5]), np.array([0.47, 0.0]), INK)
    axes.text(-0.62, 0.5, "$(x_i)$", ha="right", va="center", color=INK, size=11)
    axes.text(10.42, 0.5, "$(\\pm n_i)$", ha="left", va="center", color=INK, size=11)
    axes.set(xlim=(-1.5, 11.6), ylim=(-0.2, 1.2))
    axes.axis("off")
    return figure


def axes_of(axes: Axes, at: np.ndarray, frame: np.ndarray, name: str) -> None:
    """A frame, its rows drawn as axes."""
    for row, axis in enumerate(frame):
        arrow(axes, at, axis, BLUE)
        axes.text(*(at + 1.18 * axis), str(row + 1), color=BLUE, ha="center", va="center", size=9)
    axes.plot(*at, "o", color=INK, ms=6)
    axes.text(*(at + [-0.1, -0.28]), name, color=INK, ha="right", size=12)


def transport() -> Figure:
    """A vector in the sender's frame, and the same vector in the receiver's."""
    angles = torch.tensor([0.45, 1.75], dtype=torch.float64)
    turns = torch.stack([torch.stack([a.cos(), a.sin(), -a.sin(), a.cos()]).reshape(2, 2) for a in angles])
    frames, vector = Frames(turns), torch.tensor([0.35, 0.9], dtype=torch.float64)
    local = frames.to_local(vector.expand(2, 2), TensorReps("1x1", d=2)).numpy()
    figure, axes = plt.subplots(figsize=(7.6, 2.7))
    places = (np.array([5.0, 0.0]), np.array([0.0, 0.0]))  # receiver, sender
    for at, frame, name in zip(places, turns.numpy(), ("$x_i$", "$x_j$"), strict=True):
        axes_of(axes, at, frame, name)
        arrow(axes, at, vector.numpy(), RED, 2.2)
    axes.annotate(
        "", (4.35, 0.35), (0.8, 0.35), arrowprops={"arrowstyle": "-|>", "color": FAINT, "lw": 1.2, "ls": "--"}
    )
    axes.text(2.6, 0.47, "$\\rho(R_i R_j^T)$", color=FAINT, ha="center", size=12)
    for at, values, formula in zip(places, local, ("\\rho(R_i R_j^T)\\,f_j", "f_j"), strict=True):
        text = f"${formula} = ({values[0]:.2f},\\ {values[1]:.2f})$"
        axes.text(at[0], -0.75, text, color=RED, ha="center", size=11)
    axes.text(
        2.6, -1.15, "one vector (red), two frames (blue): the numbers change, the vector does not", ha="center", size=9
    )
    axes.set(xlim=(-1.6, 7.0), ylim=(-1.3, 1.35), aspect="equal")
    axes.axis("off")
    return figure


def levels() -> Figure:
    """Two levels above a noisy curve, from the package's own sampling."""
    rng = np.random.default_rng(3)
    angle = rng.uniform(0, 2 * np.pi, 500)
    curve = np.stack([1.6 * np.cos(angle), np.sin(angle) + 0.25 * np.sin(3 * angle)], axis=1)
    pos = torch.from_numpy(curve + rng.normal(scale=0.03, size=curve.shape))
    hierarchy = build_hierarchy(pos, torch.zeros(len(pos), dtype=torch.long), (0.1, 0.25), 12)
    figure, row = plt.subplots(1, 3, figsize=(9.2, 2.5), layout="constrained")
    for number, (axes, level) in enumerate(zip(row, hierarchy.levels, strict=True)):
        axes.plot(*pos.T.numpy(), ".", color="#cbd5e1", ms=2.5)
        if number:
            axes.plot(*pos[level.rows].T.numpy(), "o", mfc="none", color=FAINT, ms=4.5, mew=0.9, label="samples")
        axes.plot(
            *level.pos.T.numpy(),
            "." if not number else "o",
            color=RED if number else INK,
            ms=2.5 if not number else 3.5,
            label="barycentres",
        )
        axes.set_title(f"level {number}: {len(level)} points", size=10, color=INK)
        axes.set_aspect("equal")
        axes.axis("off")
    row[2].legend(loc="center", frameon=False, fontsize=8.5)
    return figure


def main(folder: Path) -> None:
    """Draw all, reproducibly."""
    plt.rcParams.update({"svg.hashsalt": "tensorframes", "svg.fonttype": "path", "mathtext.fontset": "cm"})
    for draw in (pipeline, transport, levels):
        figure = draw()
        kind = "png" if draw is levels else "svg"  # hundreds of points are smaller as pixels
        path = folder / f"{draw.__name__}.{kind}"
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(path, bbox_inches="tight", metadata=metadata, facecolor="white", dpi=130)
        plt.close(figure)
        print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images")
