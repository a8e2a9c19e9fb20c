"""When the inspection is so far behind the line that the gate must do alone, and when no more."""

import logging
import math
from typing import Final

from stripscan.runtime.station_pipeline import PipelineSection

logger = logging.getLogger(__name__)

_BEHIND: Final = 0.5
_CAUGHT_UP: Final = 0.125
"""Shares of the queue. They lie apart, so that the chain does not change with every block."""


class Overload:
    """Follows the queue of a station whose policy is to degrade; of any other it says nothing.

    Args:
        pipeline: The policy, and the length of the queue.
        live: Whether lines come at their own pace; files wait, and are always behind.
    """

    def __init__(self, pipeline: PipelineSection, *, live: bool) -> None:
        self._degrades = live and pipeline.overload == "degrade"
        self._behind = math.ceil(_BEHIND * pipeline.queue_blocks)
        self._caught_up = math.floor(_CAUGHT_UP * pipeline.queue_blocks)
        self.hurries = False
        """Whether the gate inspects alone."""
        self.switches = 0
        """How often that changed."""

    def review(self, waiting_blocks: int) -> bool:
        """Return whether the gate alone must look at what comes next.

        Args:
            waiting_blocks: How many blocks wait behind the one that was taken.
        """
        limit = self._caught_up if self.hurries else self._behind - 1
        hurries = self._degrades and waiting_blocks > limit
        if hurries != self.hurries:
            self.hurries = hurries
            self.switches += 1
            logger.warning(
                "the gate inspects alone: the machine is slower than the line"
                if hurries
                else "the full chain inspects again",
                extra={"waiting_blocks": waiting_blocks, "switches": self.switches},
            )
        return hurries

    def counts(self) -> dict[str, int]:
        """Return what is counted by coil, where the policy is to degrade."""
        return {"gate_only_switches": self.switches} if self._degrades else {}
