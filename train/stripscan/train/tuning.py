"""A search for better options of a recipe, with Optuna."""

from pathlib import Path

import optuna
from optuna.trial import Trial, TrialState

from stripscan.contract.errors import ConfigError
from stripscan.dataset.split import Split
from stripscan.train.cluster import Spread, spread
from stripscan.train.config import TrainConfig
from stripscan.train.failures import DivergedError
from stripscan.train.machine import Machine
from stripscan.train.study import Tuned, finish, folder_of, found, left, open_study, suggest
from stripscan.train.trainer import train


def tune(
    base: TrainConfig,
    *,
    trials: int,
    data: Path,
    out: Path,
    split: Split,
    progress: bool = True,
    machine: Machine,
    ray: str | None = None,
) -> Tuned:
    """Search for better options of a recipe.

    The study is kept in ``study.sqlite3``, each trial in a run folder ``trial-000`` and on. The
    same call goes on with a study that was stopped; the first trial is the recipe as it is. A trial
    that is worse than the median of the others at an epoch ends there.

    Args:
        base: The recipe.
        trials: How many trials there shall be in the end.
        data: Folder with the data sets.
        out: Folder of the study.
        split: What to train on and what to choose by.
        progress: Show a progress bar for each trial.
        machine: What each trial trains on; one device.
        ray: Address of a Ray cluster that trains several at once; None trains one after the other
            here.

    Raises:
        ConfigError: The folder holds something else, the memory is too small, or more than one
            device is asked for.
        DataError: Data and split do not fit, or no trial came to its end.
        MissingPartError: Ray is not installed, or there is no cluster at the address.
    """
    if machine.devices not in (None, 1) or machine.nodes not in (None, 1):
        raise ConfigError(
            "each trial of --tune trains on one device: leave --devices and --nodes out, and "
            "spread the trials with --ray"
        )
    study = open_study(out, base, split)
    count = left(study, trials)
    if ray is not None and count:
        spread(study, base, count, ray, Spread(data=data, out=out, split=split, machine=machine))
        return found(study, base, out)
    for _ in range(count):
        trial = study.ask()
        finish(
            study,
            trial.number,
            _trained(
                trial,
                suggest(trial, base),
                data=data,
                out=folder_of(out, trial.number),
                split=split,
                progress=progress,
                machine=machine,
            ),
        )
    return found(study, base, out)


def _trained(
    trial: Trial,
    config: TrainConfig,
    *,
    data: Path,
    out: Path,
    split: Split,
    progress: bool,
    machine: Machine,
) -> float | TrialState:
    """Return the Dice of a trial, or how it ended without one."""

    def watch(epoch: int, dice: float) -> None:
        trial.report(dice, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        best = train(
            config,
            data=data,
            out=out,
            split=split,
            progress=progress,
            machine=machine,
            watch=watch,
        )
    except optuna.TrialPruned:
        return TrialState.PRUNED
    except DivergedError:
        return TrialState.FAIL
    return TrialState.FAIL if best is None else float(str(best.facts["val_dice"]))
