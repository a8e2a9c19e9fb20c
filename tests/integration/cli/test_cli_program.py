"""What every command shares: help, version, usage, tracebacks, and extras that are missing."""

import importlib.metadata
import sys
from pathlib import Path

import pytest

from integration.cli.program import fine, listing, refused, run

COMMANDS = [
    "bundle keygen",
    "bundle sign",
    "bundle verify",
    "data",
    "data inspect",
    "data prepare",
    "data split",
    "demo",
    "doctor",
    "eval",
    "export",
    "inspect",
    "plan",
    "predict",
    "report",
    "run",
    "serve",
    "simulate",
    "train",
    "users",
]

LEAN = """
import sys

EXTRAS = {
    "albumentations", "lightning", "matplotlib", "mlflow", "onnx", "onnxscript", "optuna",
    "safetensors", "segmentation_models_pytorch", "torch",
    "argon2", "fastapi", "uvicorn",
}

class Blocker:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker)
from stripscan.cli.main import main
main()
"""
"""The program where only the lean install is."""


def test_the_installed_program_says_its_version(tmp_path: Path) -> None:
    installed = Path(sys.executable).with_name("stripscan")
    said = fine(run("--version", cwd=tmp_path, command=[str(installed)]))
    assert said == f"stripscan {importlib.metadata.version('stripscan')}\n"


def test_help_lists_every_command(tmp_path: Path) -> None:
    listed = fine(run("--help", cwd=tmp_path)).split()
    assert set(listed) >= {name for name in COMMANDS if " " not in name}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tmp_path: Path, command: str) -> None:
    said = fine(run(*command.split(), "--help", cwd=tmp_path))
    assert f"stripscan.cli.main {command} " in said or f"stripscan {command} " in said


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["inspekt"], "No such command 'inspekt'"),
        (["run", "--fast", "line.toml"], "No such option: --fast"),
        (["run"], "Missing argument"),
        (["report", "--format", "pdf"], "'pdf' is not one of 'html', 'json', 'csv'"),
        (["demo", "--length-m", "long"], "Invalid value for '--length-m'"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, args: list[str], said: str) -> None:
    done = run(*args, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert listing(tmp_path) == {}


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    ask = ("report", "--store", "none.db")
    plain = refused(run(*ask, cwd=tmp_path), 3)
    assert "there is no store at none.db" in plain
    done = run("--debug", *ask, cwd=tmp_path)
    assert done.returncode == 3
    assert "Traceback (most recent call last)" in done.stderr
    assert "StoreError" in done.stderr
    by_variable = run(*ask, cwd=tmp_path, env={"STRIPSCAN_DEBUG": "1"})
    assert "Traceback (most recent call last)" in by_variable.stderr


@pytest.mark.parametrize(
    ("extra", "args"),
    [
        ("train", ["train", "strip-small", "--data", "d", "--split", "s.json", "--out", "o"]),
        ("export", ["export", "c.safetensors", "--out", "o.zip"]),
    ],
)
def test_a_missing_extra_is_named_with_the_line_that_brings_it(
    tmp_path: Path, extra: str, args: list[str]
) -> None:
    said = refused(run(*args, cwd=tmp_path, command=[sys.executable, "-c", LEAN]), 3)
    assert f"'stripscan {extra}' needs packages that are not installed" in said
    assert f"pip install 'stripscan[{extra}]'\n" in said
    assert listing(tmp_path) == {}


def test_predict_works_without_the_extras(image: Path, tmp_path: Path) -> None:
    fine(run("predict", "default", image, cwd=tmp_path, command=[sys.executable, "-c", LEAN]))
    assert (tmp_path / "predictions" / f"{image.stem}.mask.png").is_file()


def test_an_unknown_log_level_is_refused(tmp_path: Path) -> None:
    said = refused(run("run", "line.toml", "--log-level", "chatty", cwd=tmp_path), 2)
    assert "use one of DEBUG, INFO, WARNING, ERROR, CRITICAL" in said
