"""What all tables of a station file share."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

RelPath = Annotated[Path, Field(strict=False)]
"""A path that TOML gives as text; ``load_station`` makes it absolute."""


def unit(name: str) -> dict[str, Any]:
    """Return what marks a field with its unit, for messages and the reference page."""
    return {"unit": name}


class Section(BaseModel):
    """A table of a station file: no unknown keys, no conversion, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
