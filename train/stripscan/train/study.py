"""What a search for better options has tried: an Optuna study in a folder of its own."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from stripscan.contract.errors import ConfigError, DataError
from stripscan.contract.files import write_file
from stripscan.dataset.split import Split
from stripscan.train.config import TrainConfig
from stripscan.train.overrides import overridden
from stripscan.train.run_folder import config_digest

STUDY: Final = "study.sqlite3"
BEST: Final = "best.json"

_QUICK_TRIALS = 4
"""So many trials run to their end before any is cut short."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What a search found.

    Attributes:
        config: The recipe with the best values.
        score: Its Dice on validation.
        values: What differs from the recipe, by dotted name.
        trial: Number of the trial.
        path: ``config`` as a file, for ``stripscan train --config``.
    """

    config: TrainConfig
    score: float
    values: dict[str, float]
    trial: int
    path: Path


def suggest(trial: Trial, base: TrainConfig) -> TrainConfig:
    """Return the recipe with the values of a trial.

    The rate is searched within a factor of five, the decay from 1e-5 to 0.3, the simulated tiles
    from none to three for two real ones, and their clean share from 0.2 to 0.8.
    """
    peak_lr = base.optimiser.peak_lr
    values = {
        "optimiser.peak_lr": trial.suggest_float(
            "optimiser.peak_lr", peak_lr / 5, peak_lr * 5, log=True
        ),
        "optimiser.weight_decay": trial.suggest_float(
            "optimiser.weight_decay", 1e-5, 0.3, log=True
        ),
        "data.simulated": trial.suggest_float("data.simulated", 0, 1.5),
        "data.clean": trial.suggest_float("data.clean", 0.2, 0.8),
    }
    return overridden(base, [f"{name}={value!r}" for name, value in values.items()])


def open_study(out: Path, base: TrainConfig, split: Split) -> optuna.Study:
    """Return the study of a folder, a new one or the one that was stopped there.

    Trials that a kill left unfinished are queued again.

    Raises:
        ConfigError: The folder holds a study of another recipe or split, or something else.
    """
    path = out / STUDY
    if not path.exists() and out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty and holds no {STUDY}: name a new folder")
    out.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{path.resolve()}",
        study_name="stripscan",
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=base.seed),
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=_QUICK_TRIALS, n_warmup_steps=base.epochs // 4
        ),
    )
    what = {"config": config_digest(base), "split": split.digest}
    if not study.user_attrs:
        for name, value in what.items():
            study.set_user_attr(name, value)
        study.enqueue_trial(_as_it_is(base))
    elif study.user_attrs != what:
        raise ConfigError(
            f"{path} is a study of another recipe or split, and their scores cannot be compared: "
            "name a new folder"
        )
    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return study


def finish(study: optuna.Study, number: int, result: float | TrialState) -> None:
    """Tell the study how a trial ended, and log it."""
    if isinstance(result, TrialState):
        trial = study.tell(number, state=result)
    else:
        trial = study.tell(number, result)
    logger.info(
        "trial %d: %s",
        number,
        f"Dice {result:.4f}" if trial.value is not None else trial.state.name,
    )


def left(study: optuna.Study, trials: int) -> int:
    """Return how many trials are left until there are so many."""
    done = study.get_trials(states=[TrialState.COMPLETE, TrialState.PRUNED])
    return max(0, trials - len(done))


def folder_of(out: Path, number: int) -> Path:
    """Return the run folder of a trial."""
    return out / f"trial-{number:03}"


def found(study: optuna.Study, base: TrainConfig, out: Path) -> Tuned:
    """Return the best trial so far and write its configuration.

    Raises:
        DataError: No trial came to its end.
    """
    done = study.get_trials(states=[TrialState.COMPLETE])
    if not done:
        raise DataError(
            f"no trial of {out / STUDY} came to its end: the loss diverged in all of them. Start "
            "from a recipe with a lower rate (--set optimiser.peak_lr=...)"
        )
    best = study.best_trial
    config = _replayed(best, base)
    path = out / BEST
    write_file(path, config.model_dump_json(indent=2).encode())
    score = float(best.value or 0.0)
    return Tuned(config=config, score=score, values=best.params, trial=best.number, path=path)


def _replayed(trial: FrozenTrial, base: TrainConfig) -> TrainConfig:
    return overridden(base, [f"{name}={value!r}" for name, value in trial.params.items()])


def _as_it_is(base: TrainConfig) -> dict[str, float]:
    """Return the recipe's own values, as near as the search allows."""
    return {
        "optimiser.peak_lr": base.optimiser.peak_lr,
        "optimiser.weight_decay": min(max(base.optimiser.weight_decay, 1e-5), 0.3),
        "data.simulated": min(base.data.simulated, 1.5),
        "data.clean": min(max(base.data.clean, 0.2), 0.8),
    }
