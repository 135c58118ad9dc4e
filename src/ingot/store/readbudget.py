"""How much of a body a reader holds at once, so that slow readers cost little memory together."""

from __future__ import annotations

from ingot.base.units import KIB, MIB

# What all readers of a process hold beyond the smallest pieces, which nobody is refused.
BUDGET_BYTES = 4 * MIB
PIECE_BYTES_MAX = 1 * MIB
PIECE_BYTES_MIN = 8 * KIB
# A piece takes at most this part of what is left: the first readers leave some to the next ones.
_SHARE = 4


class ReadBudget:
    """Grants pieces on the event loop; a grant is given back when its piece has gone out.

    Few readers get large pieces and the next piece read ahead; a thousand slow ones, each of
    which holds its piece for as long as its connection takes it, get small ones.

    Args:
        budget_bytes: see `BUDGET_BYTES`.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._free_bytes = budget_bytes

    @property
    def is_roomy(self) -> bool:
        """Whether a piece that is not needed yet may be read ahead."""
        return self._free_bytes >= _SHARE * PIECE_BYTES_MIN

    def take(self, wanted_bytes: int) -> int:
        """Grant a piece of at most `wanted_bytes`, or the smallest piece; return its size."""
        share_bytes = min(PIECE_BYTES_MAX, self._free_bytes // _SHARE)
        granted_bytes = max(PIECE_BYTES_MIN, min(wanted_bytes, share_bytes))
        self._free_bytes -= granted_bytes
        return granted_bytes

    def give_back(self, granted_bytes: int) -> None:
        """End a grant."""
        self._free_bytes += granted_bytes
