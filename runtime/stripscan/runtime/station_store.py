"""The part of a station file that says where defects are kept, and for how long."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from stripscan.contract.errors import StoreError
from stripscan.runtime.section import RelPath, Section, unit
from stripscan.runtime.store_postgresql import store_url


def _url_of_a_store(text: str) -> str:
    try:
        store_url(text)
    except StoreError as error:
        raise ValueError(str(error)) from None
    return text


class StoreSection(Section):
    """Where defects are kept.

    Attributes:
        path: The line's own store.
        url: The plant's database, into which coils are copied when they have ended.
        keep_days: Age at which a coil is removed from ``path``, in days.
        keep_gb: Size above which ``path`` loses pictures, then masks, then coils, in 10⁹ bytes.
    """

    path: RelPath = Path("stripscan.db")
    url: Annotated[str, AfterValidator(_url_of_a_store)] | None = None
    keep_days: float | None = Field(default=None, gt=0, le=36_500, json_schema_extra=unit("days"))
    keep_gb: float | None = Field(default=None, gt=0, le=1_000_000, json_schema_extra=unit("GB"))
