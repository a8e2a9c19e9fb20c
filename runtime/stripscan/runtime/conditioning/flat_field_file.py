"""A flat field as one file: a NumPy archive with its columns and a header in JSON."""

import io
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stripscan.contract.errors import DataError
from stripscan.contract.files import write_file
from stripscan.runtime.conditioning.flat_field import GAIN_RANGE, FlatField, Origin, Target
from stripscan.runtime.conditioning.transfer import Bits, Transfer

_FORMAT: Final = "stripscan-flat-field"
_MAX_BYTES: Final = 4_000_000  # 65,536 columns take 0.7 MB
_COLUMNS: Final = {
    "offset": np.float32,
    "gain": np.float32,
    "learned": np.bool_,
    "dead": np.bool_,
}


class _Origin(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    camera: str = Field(min_length=1)
    bits: Bits
    transfer: Transfer
    target: Target
    source: str
    learned_at: str
    lamp_hours: float | None = Field(ge=0)
    blocks: int = Field(ge=0)
    lines: int = Field(ge=1)
    stripscan_version: str


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    format: Literal["stripscan-flat-field"]
    version: Literal[1]
    origin: _Origin
    level_grey: float | None = Field(gt=0, le=255)
    digest: str


def save_flat_field(field: FlatField, path: Path) -> None:
    """Write a flat field whole, or leave what was there.

    Raises:
        StoreError: It cannot be written.
    """
    header = _Header(
        format=_FORMAT,
        version=1,
        origin=_Origin(**asdict(field.origin)),
        level_grey=field.level_grey,
        digest=field.digest,
    )
    data = io.BytesIO()
    columns: dict[str, Any] = {name: getattr(field, name) for name in _COLUMNS}
    np.savez(data, header=np.array(header.model_dump_json()), **columns)
    write_file(path, data.getvalue())


def load_flat_field(path: Path) -> FlatField:
    """Read a flat field and check it.

    Raises:
        DataError: The file is missing, damaged, no flat field, or holds what no learning gives.
    """
    try:
        field, digest = _parsed(path)
        _check(field)
    except OSError as error:
        raise DataError(
            f"{path}: the flat field cannot be read: {error.strerror or error}. "
            "Learn one with 'stripscan flat-field learn'"
        ) from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        said = _said(error)
        raise DataError(f"{path}: this is no usable flat field ({said}): learn it again") from error
    if field.digest != digest:
        raise DataError(f"{path}: the flat field was changed or damaged: learn it again")
    return field


def _parsed(path: Path) -> tuple[FlatField, str]:
    data = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > _MAX_BYTES:
            raise ValueError(f"it is larger than {_MAX_BYTES / 1e6:g} MB")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        header = _Header.model_validate_json(str(arrays["header"]))
        columns = {name: _column(arrays[name], name) for name in _COLUMNS}
    return (
        FlatField(
            origin=Origin(**header.origin.model_dump()), level_grey=header.level_grey, **columns
        ),
        header.digest,
    )


def _column(values: NDArray[Any], name: str) -> NDArray[Any]:
    if values.dtype != _COLUMNS[name] or values.ndim != 1:
        raise ValueError(f"{name} is {values.dtype} in the shape {values.shape}")
    return values


def _check(field: FlatField) -> None:
    if len({len(c) for c in (field.offset, field.gain, field.learned, field.dead)}) > 1:
        raise ValueError("its columns differ in number")
    if not len(field.gain) or field.dead.all():
        raise ValueError("it has no living column")
    low, high = GAIN_RANGE
    if not np.all((field.gain >= low) & (field.gain <= high)):  # a NaN is in no range
        raise ValueError(f"a gain is not from {low:g} to {high:g}")
    if not np.all((field.offset >= 0) & (field.offset <= 255)):
        raise ValueError("an offset is not from 0 to 255")


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
