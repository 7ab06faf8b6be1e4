"""Splits by a hash of names, so that the split of a cloud hardly depends on other clouds."""

import hashlib
from collections.abc import Iterable, Sequence

from tensorframes.errors import UserError


def fraction(name: str, seed: int = 0) -> float:
    """A number in [0, 1), uniform over names: the first 8 bytes of SHA-256("SEED:NAME") over 2^64."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big") / 2**64


def check_share(share: float) -> None:
    """Raise UserError unless the share held out for validation is in [0, 1)."""
    if not 0 <= share < 1:
        raise UserError(f"expected data.val_share of at least 0 and below 1, got {share}")


def held_out(names: Iterable[str], share: float, seed: int = 0) -> set[str]:
    """The names of the validation split: those with fraction(name, seed) < share.

    If share > 0 and there are several names, at least one is held out, and at least one is not.

    Args:
        names: of clouds or, to hold out all clouds of a shape together, of shapes.
        share: of the names held out, in [0, 1).
        seed: another seed gives another split.

    Raises:
        ValueError: the share is not in [0, 1).
    """
    if not 0 <= share < 1:
        raise ValueError(f"expected a share held out in [0, 1), got {share}")
    ranked = sorted(set(names), key=lambda name: (fraction(name, seed), name))
    if share == 0 or len(ranked) < 2:
        return set()
    count = sum(fraction(name, seed) < share for name in ranked)
    return set(ranked[: min(max(count, 1), len(ranked) - 1)])


def partition(names: Sequence[str], shares: Sequence[float], seed: int = 0) -> list[list[str]]:
    """Parts of the names, by the interval between cumulative sums of the shares that contains fraction(name, seed).

    An empty part with a positive share gets a name of the largest part, so that few clouds are enough.

    Args:
        names: each is in exactly one part.
        shares: positive or zero, with the sum 1.
        seed: another seed gives another split.

    Raises:
        ValueError: the shares are negative or don't sum to 1.
    """
    if any(share < 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"expected shares that are not negative and sum to 1, got {list(shares)}")
    bounds = [sum(shares[: index + 1]) for index in range(len(shares) - 1)]
    parts: list[list[str]] = [[] for _ in shares]
    for name in names:
        parts[sum(fraction(name, seed) >= bound for bound in bounds)].append(name)
    for part, share in zip(parts, shares, strict=True):
        largest = max(parts, key=len)
        if not part and share > 0 and len(largest) > 1:
            part.append(largest.pop())
    return parts
