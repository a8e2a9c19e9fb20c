"""What a run folder holds, so that a run can be repeated, resumed and told apart."""

import hashlib
import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from stripscan.contract.errors import ConfigError, DataError
from stripscan.contract.files import write_file
from stripscan.dataset.samples import Sample
from stripscan.train.config import TrainConfig

CHECKPOINT: Final = "checkpoint.safetensors"
"""The best epoch."""

CONFIG: Final = "config.json"
SPLIT: Final = "split.json"
METRICS: Final = "metrics.csv"
CURVES: Final = "curves.png"

RECORD: Final = "run.json"
"""What resuming needs besides configuration and split; see ``RunRecord``."""

STATE: Final = "last.ckpt"
"""The whole state after the last finished epoch; a finished run has none."""


class LoggerKind(StrEnum):
    """Where the figures of each epoch go besides ``metrics.csv``."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"


class RunRecord(BaseModel):
    """What a run was started with.

    Attributes:
        data: The folder with the data sets.
        data_digest: ``digest_of`` what is learned from and chosen by.
        config_digest: SHA-256 of ``config.json``.
        processes: How many processes train together.
        loggers: Where the figures go besides ``metrics.csv``.
        finished: The thresholds are chosen, and nothing is left to do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path
    data_digest: str
    config_digest: str
    processes: int = 1
    loggers: tuple[LoggerKind, ...] = ()
    finished: bool = False


def begin(out: Path, config: TrainConfig, record: RunRecord) -> None:
    """Write what a run needs to be resumed.

    Raises:
        StoreError: It cannot be written.
    """
    write_file(out / CONFIG, _text(config))
    write_record(out, record)


def write_record(out: Path, record: RunRecord) -> None:
    """Write the record of a run; the file is whole or not there.

    Raises:
        StoreError: It cannot be written.
    """
    write_file(out / RECORD, record.model_dump_json(indent=2).encode())


def read_record(out: Path) -> RunRecord:
    """Read the record of a run.

    Raises:
        ConfigError: The folder holds no run.
    """
    path = out / RECORD
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(
            f"{out} holds no run that can be resumed: there is no {RECORD}. Name the folder that "
            "was given with --out"
        ) from error
    except ValidationError as error:
        raise ConfigError(f"{path}: this is no record of a run ({_first(error)})") from error


def config_digest(config: TrainConfig) -> str:
    """Return the SHA-256 of a configuration as it is written, in hex digits."""
    return hashlib.sha256(_text(config)).hexdigest()


def read_config(path: Path) -> TrainConfig:
    """Read a whole configuration, such as ``config.json`` of a run folder.

    Raises:
        ConfigError: The file is missing, or something in it is no option of a training run.
    """
    try:
        return TrainConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise ConfigError(
            f"{path}: this is no configuration of a training run: {_first(error)}. Take "
            f"{CONFIG} of a run folder as a pattern"
        ) from error


def recorded_config(out: Path, record: RunRecord) -> TrainConfig:
    """Return the configuration that a run was started with.

    Raises:
        ConfigError: The file is missing, or was changed since.
    """
    config = read_config(out / CONFIG)
    if config_digest(config) != record.config_digest:
        raise ConfigError(
            f"{out / CONFIG} was changed after the run began, and half a run of each is neither: "
            f"restore it, or start a new run with --config {out / CONFIG} --out NEW"
        )
    return config


def digest_of(samples: Sequence[Sample]) -> str:
    """Return 16 hex digits that identify names, images and labels.

    Raises:
        DataError: A file cannot be read.
    """
    total = hashlib.sha256()
    for sample in samples:
        files = [path for path in (sample.image, sample.label, sample.boxes) if path is not None]
        try:
            contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
        except OSError as error:
            raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error
        total.update(json.dumps([sample.name, *contents]).encode())
    return total.hexdigest()[:16]


def _text(config: TrainConfig) -> bytes:
    return config.model_dump_json(indent=2).encode()


def _first(error: ValidationError) -> str:
    """Return the first thing that is wrong, with its place."""
    what = error.errors()[0]
    place = ".".join(map(str, what["loc"]))
    return f"{place}: {what['msg']}" if place else what["msg"]
