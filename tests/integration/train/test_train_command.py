"""Options of ``stripscan train`` that do not go together, told before anything is read."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("albumentations")

from stripscan.contract.errors import ConfigError
from stripscan.train.commands.train import train
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.train

DATA: dict[str, Any] = {"data_folder": Path("data"), "split_file": Path("split.json")}


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    handlers = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = handlers
    logging.captureWarnings(False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "strip-small"}, "name what to train on: --data FOLDER --split FILE"),
        (DATA, r"name either a recipe, e\.g\. strip-small, or --config FILE"),
        (
            DATA | {"recipe": "strip-small", "config_file": Path("c.json")},
            "name either a recipe",
        ),
        (DATA | {"recipe": "strip-smal"}, "did you mean 'strip-small'"),
        (DATA | {"recipe": "strip-small", "devices": "two"}, "--devices two: give a number"),
        (DATA | {"recipe": "strip-small", "devices": "0"}, "--devices 0: give a number"),
        ({"resume": Path("run"), "seed": 3}, "--resume goes on with the recorded recipe"),
        ({"resume": Path("run"), "recipe": "enet"}, "--resume goes on with the recorded recipe"),
        ({"resume": Path("run"), "trials": 3}, "--resume goes on with the recorded recipe"),
        ({"resume": Path("run")}, r"run holds no run that can be resumed"),
        (DATA | {"recipe": "enet", "ray": "auto"}, "--ray spreads the trials of --tune"),
    ],
)
def test_what_does_not_go_together_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        train(**options)
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_says_how_to_go_on(data: Path, split_file: Path, tmp_path: Path) -> None:
    out, config = tmp_path / "run", tmp_path / "tiny.json"
    out.mkdir()
    (out / "run.json").write_text("{}")
    config.write_text(tiny_config().model_dump_json())
    with pytest.raises(ConfigError, match=rf"go on with .*: stripscan train --resume {out}"):
        train(config_file=config, data_folder=data, split_file=split_file, out=out)
