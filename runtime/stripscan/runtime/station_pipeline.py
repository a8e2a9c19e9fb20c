"""The table of a station file for what lies between source and inspection."""

from typing import Literal

from pydantic import Field

from stripscan.runtime.section import Section, unit

Overload = Literal["drop-oldest", "block"]
"""What happens to the lines of a live source while the inspection is behind."""


class PipelineSection(Section):
    """How blocks get from the source to the inspection.

    Attributes:
        queue_blocks: Most blocks that wait for the inspection.
        overload: ``drop-oldest`` gives up the oldest block that waits, so that what passes now is
            inspected; ``block`` takes no more from the source, which has buffers and losses of
            its own. Files always wait.
    """

    queue_blocks: int = Field(default=16, ge=1, le=1024, json_schema_extra=unit("blocks"))
    overload: Overload = "drop-oldest"
