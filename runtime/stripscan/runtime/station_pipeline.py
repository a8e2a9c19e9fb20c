"""The table of a station file for what lies between source and inspection."""

from typing import Literal

from pydantic import Field

from stripscan.runtime.section import Section, unit

Overload = Literal["drop-oldest", "block", "degrade"]
"""What happens to the lines of a live source while the inspection is behind."""


class PipelineSection(Section):
    """How blocks get from the source to the inspection.

    Attributes:
        process: Whether acquisition has a process of its own; ``auto`` gives it to cameras.
        queue_blocks: Most blocks that wait for the inspection.
        overload: ``drop-oldest`` gives up the oldest block that waits, so that what passes now is
            inspected; ``block`` takes no more from the source, which has buffers and losses of
            its own; ``degrade`` lets the bundle's gate alone look at lines while many blocks wait,
            and drops the oldest where that is too slow as well. Files always wait.
    """

    process: bool | Literal["auto"] = "auto"
    queue_blocks: int = Field(default=16, ge=1, le=1024, json_schema_extra=unit("blocks"))
    overload: Overload = "drop-oldest"

    @property
    def drops(self) -> bool:
        """Whether the oldest block makes room where the queue of a live source is full."""
        return self.overload != "block"

    def check_needs_no_size(self) -> None:
        """Refuse a process of its own to a source that does not know how large its blocks get.

        Raises:
            ValueError: The station asks for one.
        """
        if self.process is True:
            raise ValueError(
                "process = true in [pipeline] needs blocks of a known size, which image files do "
                'not have: leave it at "auto"'
            )
