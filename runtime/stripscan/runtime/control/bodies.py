"""What commands say, read from JSON with every mistake named."""

from pydantic import Field, ValidationError, field_validator

from stripscan.contract.errors import CommandError
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.section import Section, unit


class StartCoil(Section):
    """A coil that begins now.

    Attributes:
        id: Its name, new to the store.
        length_m: Planned length in m.
        width_mm: Planned width in mm.
    """

    id: str = Field(min_length=1, max_length=128)
    length_m: float | None = Field(default=None, gt=0, le=100_000, json_schema_extra=unit("m"))
    width_mm: float | None = Field(default=None, gt=0, le=10_000, json_schema_extra=unit("mm"))

    @field_validator("id")
    @classmethod
    def _can_be_shown(cls, given: str) -> str:
        if not given.isprintable() or given != given.strip():
            raise ValueError("it must be letters that can be shown, without space at its ends")
        return given

    def planned(self) -> PlannedCoil:
        """Return the coil."""
        return PlannedCoil(id=self.id, length_m=self.length_m, width_mm=self.width_mm)


def parse_start(body: bytes) -> StartCoil:
    """Read the body of a command.

    Raises:
        CommandError: It is no JSON object, or has unknown keys or values that cannot be.
    """
    try:
        return StartCoil.model_validate_json(body)
    except ValidationError as error:
        problems = []
        for each in error.errors(include_url=False):
            key = ".".join(str(part) for part in each["loc"])
            if each["type"] == "extra_forbidden":
                problems.append(
                    f"{key} is not known; it may be {', '.join(StartCoil.model_fields)}"
                )
            else:
                problems.append(f"{key}: {each['msg']}" if key else each["msg"])
        raise CommandError("; ".join(problems)) from error
