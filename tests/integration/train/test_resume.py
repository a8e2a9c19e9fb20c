"""A run that is killed and resumed comes to where it would have come without."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("albumentations")

from stripscan.contract.errors import ConfigError, DataError
from stripscan.dataset.split import Split, write_split
from stripscan.train.checkpoint import Checkpoint, load_checkpoint
from stripscan.train.config import TrainConfig
from stripscan.train.machine import Machine
from stripscan.train.trainer import resume, train
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.train

LAST = "last.ckpt"

KILLED = """
import os, signal, sys
from pathlib import Path

import torch
from stripscan.dataset.split import read_split
from stripscan.train.config import TrainConfig
from stripscan.train.trainer import train

data, split, config, out = map(Path, sys.argv[1:])
torch.set_num_threads(1)

def watch(epoch, dice):
    if epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)

train(
    TrainConfig.model_validate_json(config.read_bytes()),
    data=data, out=out, split=read_split(split), progress=False, watch=watch,
)
"""

FAST: dict[str, Any] = {"peak_lr": 3e-2, "ema_decay": 0.5}
CONFIGS = {
    "one-cycle": tiny_config(epochs=4, optimiser=FAST),
    "plateau": tiny_config(
        epochs=4,
        optimiser=FAST | {"schedule": "plateau", "accumulate": 2},
        data={"batch": 4, "simulated": 0.5, "workers": 1},
        precision="bf16",
    ),
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums are the same bit for bit only with as many threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def kill_after_two_epochs(config: TrainConfig, data: Path, split: Split, out: Path) -> None:
    config_file, split_file = out.with_suffix(".json"), out.with_suffix(".split.json")
    config_file.write_text(config.model_dump_json())
    write_split(split_file, split)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, data, split_file, config_file, out],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr


@dataclass(frozen=True)
class Pair:
    whole: Checkpoint
    resumed: Checkpoint
    whole_folder: Path
    resumed_folder: Path


@pytest.fixture(scope="module", params=CONFIGS)
def pair(
    request: pytest.FixtureRequest,
    data: Path,
    split: Split,
    tmp_path_factory: pytest.TempPathFactory,
) -> Pair:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    config = CONFIGS[request.param]
    kill_after_two_epochs(config, data, split, folder / "killed")
    assert (folder / "killed" / LAST).exists()
    resumed = resume(folder / "killed", progress=False)
    whole = train(config, data=data, out=folder / "whole", split=split, progress=False)
    assert whole is not None
    assert resumed is not None
    return Pair(whole, resumed, folder / "whole", folder / "killed")


def test_the_weights_are_those_of_a_run_without_a_kill(pair: Pair) -> None:
    assert pair.whole.facts == pair.resumed.facts
    assert pair.whole.thresholds == pair.resumed.thresholds
    assert pair.whole.state.keys() == pair.resumed.state.keys()
    assert all(torch.equal(t, pair.resumed.state[name]) for name, t in pair.whole.state.items())


def test_every_epoch_is_that_of_a_run_without_a_kill(pair: Pair) -> None:
    """The last epochs count: the best one may lie before the kill."""
    names = ("metrics.csv", "config.json", "split.json", "curves.png")
    for name in names:
        assert (pair.whole_folder / name).read_bytes() == (pair.resumed_folder / name).read_bytes()
    assert len((pair.whole_folder / "metrics.csv").read_text().splitlines()) == 1 + 4


def test_a_finished_run_keeps_no_state_and_is_left_alone(pair: Pair) -> None:
    folder = pair.resumed_folder
    assert not (folder / LAST).exists()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = resume(folder, progress=False)
    assert again is not None
    assert again.facts == pair.resumed.facts
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


class StoppedError(Exception):
    pass


def stopped(data: Path, split: Split, out: Path, *, at: int, **changes: object) -> None:
    def watch(epoch: int, _dice: float) -> None:
        if epoch == at:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(tiny_config(**changes), data=data, out=out, split=split, progress=False, watch=watch)


def test_what_changed_since_is_refused(data: Path, split: Split, tmp_path: Path) -> None:
    own = tmp_path / data.name
    for source in data.rglob("*.png"):
        target = own / source.relative_to(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    out = tmp_path / "run"
    stopped(own, split, out, at=1)
    with pytest.raises(ConfigError, match=r"was started with 1 process.*give the same --devices"):
        resume(out, progress=False, machine=Machine(accelerator="cpu", devices=2))
    label = own / "masks" / Path(split.train[0]).with_suffix(".png").name
    kept = label.read_bytes()
    label.write_bytes(kept + b"0")
    with pytest.raises(DataError, match="are not those that the run was started with"):
        resume(out, progress=False)
    label.write_bytes(kept)
    (out / "config.json").write_text(tiny_config(epochs=9).model_dump_json())
    with pytest.raises(ConfigError, match=r"config\.json was changed after the run began"):
        resume(out, progress=False)


def test_a_damaged_state_is_named(data: Path, split: Split, tmp_path: Path) -> None:
    out = tmp_path / "run"
    stopped(data, split, out, at=1)
    state = out / LAST
    state.write_bytes(state.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"last\.ckpt: the state of the run cannot be read"):
        resume(out, progress=False)
    state.unlink()  # as the message says: the run begins anew
    begun = resume(out, progress=False)
    assert begun is not None
    assert len((out / "metrics.csv").read_text().splitlines()) == 1 + 2


def test_patience_ends_a_run_that_gets_no_better(data: Path, split: Split, tmp_path: Path) -> None:
    """A rate this small changes nothing; a kill between the last epoch and the end does neither."""
    still = {"epochs": 50, "patience": 2, "optimiser": {"peak_lr": 1e-30, "ema_decay": 0.5}}
    out = tmp_path / "run"
    stopped(data, split, out, at=3, **still)
    best = resume(out, progress=False)
    assert best is not None
    assert best.facts["epoch"] == 1
    assert len((out / "metrics.csv").read_text().splitlines()) == 1 + 3
    assert load_checkpoint(out / "checkpoint.safetensors").thresholds == best.thresholds


def test_a_loss_that_is_no_number_keeps_the_best_epoch(
    data: Path, split: Split, tmp_path: Path
) -> None:
    wild = tiny_config(
        epochs=50, optimiser={"peak_lr": 1e30, "gradient_clip": 1e30, "warm_up": 0.5}
    )
    out = tmp_path / "run"
    with pytest.raises(DataError) as caught:
        train(wild, data=data, out=out, split=split, progress=False)
    message = str(caught.value)
    assert "the loss became" in message
    assert "in epoch" in message
    assert "--set optimiser.peak_lr=" in message
    if (out / "checkpoint.safetensors").exists():
        load_checkpoint(out / "checkpoint.safetensors").build()
