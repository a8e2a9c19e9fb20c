"""A search for better options: real trials of a tiny network."""

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("albumentations")
optuna = pytest.importorskip("optuna")

from optuna.trial import TrialState

from stripscan.contract.errors import ConfigError, DataError, MissingPartError
from stripscan.dataset.split import Split
from stripscan.train.checkpoint import load_checkpoint
from stripscan.train.machine import Machine
from stripscan.train.run_folder import read_config
from stripscan.train.study import finish, found, left, open_study, suggest
from stripscan.train.tuning import tune
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.train

CPU = Machine(accelerator="cpu")


def test_a_search_is_resumed_and_its_best_can_be_trained(
    data: Path, split: Split, tmp_path: Path
) -> None:
    base, out = tiny_config(epochs=1), tmp_path / "study"
    options = {"data": data, "out": out, "split": split, "progress": False, "machine": CPU}
    first = tune(base, trials=1, **options)
    assert (first.trial, first.config) == (0, base), "the recipe as it is comes first"
    best = tune(base, trials=2, **options)
    assert {path.name for path in out.iterdir()} == {
        "best.json",
        "study.sqlite3",
        "trial-000",
        "trial-001",
    }
    assert read_config(best.path) == best.config
    scores = [
        load_checkpoint(out / f"trial-{number:03}" / "checkpoint.safetensors").facts["val_dice"]
        for number in (0, 1)
    ]
    assert best.score == pytest.approx(max(scores))
    assert best.config == read_config(out / f"trial-{best.trial:03}" / "config.json")
    with pytest.raises(ConfigError, match="a study of another recipe or split"):
        open_study(out, tiny_config(epochs=2), split)


def test_suggestions_stay_in_their_ranges(split: Split, tmp_path: Path) -> None:
    base = tiny_config()
    study = open_study(tmp_path / "study", base, split)
    for _ in range(8):
        trial = study.ask()
        config = suggest(trial, base)
        assert 6e-4 <= config.optimiser.peak_lr <= 1.5e-2
        assert 1e-5 <= config.optimiser.weight_decay <= 0.3
        assert 0 <= config.data.simulated <= 1.5
        assert 0.2 <= config.data.clean <= 0.8
        same = {"optimiser": base.optimiser, "data": base.data}
        assert config.model_copy(update=same) == base
        finish(study, trial.number, config.data.clean)
    best = found(study, base, tmp_path / "study")
    assert best.config.data.clean == best.score


def test_a_killed_trial_is_tried_again(split: Split, tmp_path: Path) -> None:
    base = tiny_config()
    study = open_study(tmp_path, base, split)
    finish(study, study.ask().number, 0.1)
    killed = study.ask()
    values = suggest(killed, base)
    again = open_study(tmp_path, base, split)
    assert again.trials[killed.number].state is TrialState.FAIL
    assert left(again, 3) == 2
    repeated = again.ask()
    assert repeated.number > killed.number
    assert suggest(repeated, base) == values


def test_trials_that_fall_behind_are_cut_short(split: Split, tmp_path: Path) -> None:
    base = tiny_config(epochs=8)
    study = open_study(tmp_path, base, split)
    for score in (0.5, 0.6, 0.7, 0.8):
        trial = study.ask()
        for epoch in range(1, 9):
            trial.report(score, epoch)
            assert not trial.should_prune(), "the first trials run to their end"
        finish(study, trial.number, score)
    slow = study.ask()
    slow.report(0.1, 1)
    assert not slow.should_prune(), "a trial may warm up"
    slow.report(0.1, 3)
    assert slow.should_prune()


def test_a_search_in_which_all_diverge_says_so(split: Split, tmp_path: Path) -> None:
    study = open_study(tmp_path, tiny_config(), split)
    finish(study, study.ask().number, TrialState.FAIL)
    with pytest.raises(DataError, match="the loss diverged in all of them"):
        found(study, tiny_config(), tmp_path)


def test_a_folder_of_something_else_is_refused(split: Split, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"is not empty and holds no study\.sqlite3"):
        open_study(tmp_path, tiny_config(), split)


def test_a_trial_has_one_device(split: Split, tmp_path: Path) -> None:
    two = Machine(accelerator="cpu", devices=2)
    with pytest.raises(ConfigError, match="each trial of --tune trains on one device"):
        tune(tiny_config(), trials=1, data=tmp_path, out=tmp_path, split=split, machine=two)
    assert not list(tmp_path.iterdir())


def test_ray_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, data: Path, split: Split, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPartError, match=r"'--ray' needs.*stripscan\[ray\]"):
        tune(
            tiny_config(),
            trials=1,
            data=data,
            out=tmp_path / "study",
            split=split,
            machine=CPU,
            ray="auto",
        )


def test_trials_are_spread_over_a_ray_cluster(data: Path, split: Split, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    out = tmp_path / "study"
    best = tune(
        tiny_config(epochs=1),
        trials=2,
        data=data,
        out=out,
        split=split,
        machine=CPU,
        ray="local",
    )
    scores = [
        load_checkpoint(out / f"trial-{number:03}" / "checkpoint.safetensors").facts["val_dice"]
        for number in (0, 1)
    ]
    assert best.score == pytest.approx(max(scores))
