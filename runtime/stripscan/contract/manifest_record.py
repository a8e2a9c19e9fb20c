"""What all parts of a manifest share."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from stripscan.contract.paths import NAME_PATTERN, safe_name

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Magnitude = Annotated[float, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[
    str,
    AfterValidator(safe_name),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN, "maxLength": 240}),
]


class Record(BaseModel):
    """A part of a manifest: no unknown keys, no conversion, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
