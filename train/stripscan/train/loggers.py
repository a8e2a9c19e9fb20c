"""Loggers that a user may want beside ``metrics.csv``."""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger

from stripscan.contract.files import write_file
from stripscan.terminal.extras import needs_extra
from stripscan.train.config import TrainConfig
from stripscan.train.run_folder import LoggerKind

MLFLOW_RUN = "mlflow-run"
"""File of the run folder with the id of the run in MLflow."""


def build_loggers(
    kinds: Sequence[LoggerKind], config: TrainConfig, out: Path, *, first: bool
) -> list[Logger]:
    """Return the loggers of a run; those of a resumed run go on where they stopped.

    MLflow's store is what ``MLFLOW_TRACKING_URI`` says, otherwise ``mlflow.db`` beside the run
    folder, so that runs can be compared.

    Args:
        kinds: Which.
        config: Logged as parameters.
        out: The run folder; it exists.
        first: This is the first process of the run, the only one that logs.

    Raises:
        MissingPartError: The packages of a logger are not installed.
    """
    if not first:
        return []
    loggers = [_BUILDERS[kind](out) for kind in dict.fromkeys(kinds)]
    for logger in loggers:
        logger.log_hyperparams(config.model_dump(mode="json"))
    return loggers


def _tensorboard(out: Path) -> Logger:
    with needs_extra("train", "--logger tensorboard"):
        importlib.import_module("tensorboard")
    return TensorBoardLogger(out, name="", version="tensorboard", default_hp_metric=False)


def _mlflow(out: Path) -> Logger:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # mills have no way out
    with needs_extra("mlflow", "--logger mlflow"):
        importlib.import_module("mlflow")
    store = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{out.resolve().parent / 'mlflow.db'}")
    known = out / MLFLOW_RUN
    mlflow = MLFlowLogger(
        experiment_name="stripscan",
        run_name=out.name,
        run_id=known.read_text(encoding="utf-8") if known.exists() else None,
        tracking_uri=store,
    )
    write_file(known, str(mlflow.run_id).encode())
    return mlflow


_BUILDERS = {LoggerKind.TENSORBOARD: _tensorboard, LoggerKind.MLFLOW: _mlflow}
