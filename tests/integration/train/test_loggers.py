"""Figures of a run in TensorBoard and MLflow."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("albumentations")

from stripscan.contract.errors import MissingPartError
from stripscan.dataset.split import Split
from stripscan.train.loggers import build_loggers
from stripscan.train.run_folder import LoggerKind
from stripscan.train.trainer import resume, train
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.train


class StoppedError(Exception):
    pass


def stop_after_one(_epoch: int, _dice: float) -> None:
    raise StoppedError


@pytest.fixture(scope="module")
def run(data: Path, split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped and resumed, with both loggers."""
    pytest.importorskip("tensorboard")
    pytest.importorskip("mlflow")
    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with pytest.raises(StoppedError):
            train(
                tiny_config(),
                data=data,
                out=out,
                split=split,
                progress=False,
                loggers=[LoggerKind.TENSORBOARD, LoggerKind.MLFLOW],
                watch=stop_after_one,
            )
        resume(out, progress=False)
    return out


MLFLOW_ITSELF = [
    "ignore:.*noload.*",  # SQLAlchemy 2.1 deprecates what MLflow uses
    "ignore::DeprecationWarning:mlflow",
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
]


@pytest.mark.filterwarnings(*MLFLOW_ITSELF)
def test_mlflow_has_one_run_with_every_epoch(run: Path) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{run.parent / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("stripscan")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.run_name == "run"
    assert found.data.params["optimiser/peak_lr"] == "0.003"
    for name in ("train_loss", "val_dice", "val_dice_patches"):
        assert len(client.get_metric_history(found.info.run_id, name)) == 2, name


@pytest.mark.filterwarnings(*MLFLOW_ITSELF)
def test_tensorboard_has_every_epoch(run: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    for name in ("train_loss", "val_dice", "val_dice_patches"):
        assert [event.step for event in events.Scalars(name)] == sorted(
            {event.step for event in events.Scalars(name)}
        )
        assert len(events.Scalars(name)) == 2, name


@pytest.mark.parametrize(
    ("kind", "module", "extra"),
    [
        (LoggerKind.TENSORBOARD, "tensorboard", r"stripscan\[train\]"),
        (LoggerKind.MLFLOW, "mlflow", r"stripscan\[mlflow\]"),
    ],
)
def test_a_logger_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: LoggerKind, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # what an import finds of a missing package
    with pytest.raises(MissingPartError, match=rf"'--logger {kind}' needs.*pip install '{extra}'"):
        build_loggers([kind], tiny_config(), tmp_path, first=True)
    assert not list(tmp_path.iterdir())


def test_only_the_first_process_logs(tmp_path: Path) -> None:
    kinds = [LoggerKind.TENSORBOARD, LoggerKind.MLFLOW]
    assert build_loggers(kinds, tiny_config(), tmp_path, first=False) == []
    assert not list(tmp_path.iterdir())
