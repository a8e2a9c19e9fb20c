"""The trials of a search on a Ray cluster, several at once."""

import csv
import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from stripscan.contract.errors import MissingPartError, StripscanError, missing_extra
from stripscan.dataset.split import Split
from stripscan.train.config import TrainConfig
from stripscan.train.failures import DivergedError
from stripscan.train.machine import Machine
from stripscan.train.run_folder import METRICS
from stripscan.train.study import finish, folder_of, suggest
from stripscan.train.trainer import train

LOCAL = "local"
"""Address that starts a cluster of this computer alone."""

_POLL_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What all trials share; every computer of the cluster sees the folders at the same paths.

    Attributes:
        data: Folder with the data sets.
        out: Folder of the study.
        split: What to train on and what to choose by.
        machine: What each trial trains on.
    """

    data: Path
    out: Path
    split: Split
    machine: Machine


def spread(
    study: optuna.Study, base: TrainConfig, count: int, address: str, shared: Spread
) -> None:
    """Run trials as Ray tasks, as many at once as the cluster has GPUs, or else processors.

    The trials write their run folders; what they say there after each epoch decides here whether
    they are cut short. The study itself never leaves this process.

    Args:
        study: Asked for each trial, and told how it went.
        base: The recipe.
        count: How many trials.
        address: Of the cluster; ``auto`` finds the one of this computer, ``local`` starts one.
        shared: What all trials share.

    Raises:
        MissingPartError: Ray is not installed, or there is no cluster at the address.
        StripscanError: What a trial raised, save for a diverged loss.
    """
    ray = _connected(address)
    try:
        gpus = int(ray.cluster_resources().get("GPU", 0))
        slots = gpus or max(1, int(ray.cluster_resources().get("CPU", 1)))
        task = ray.remote(num_gpus=1 if gpus else 0, num_cpus=0 if gpus else 1)(_trained)
        running: dict[Any, Trial] = {}
        while count or running:
            while count and len(running) < slots:
                trial, count = study.ask(), count - 1
                config = suggest(trial, base).model_dump_json()
                running[task.remote(config, shared, trial.number)] = trial
            ended, _ = ray.wait(list(running), timeout=_POLL_S)
            for reference in ended:
                trial = running.pop(reference)
                finish(study, trial.number, _result(ray, reference))
            for reference, trial in running.items():
                if _falls_behind(trial, folder_of(shared.out, trial.number)):
                    ray.cancel(reference)
    finally:
        ray.shutdown()


def _trained(config: str, shared: Spread, number: int) -> float | None:
    """Train a trial, on some computer of the cluster; None where the loss diverged."""
    try:
        best = train(
            TrainConfig.model_validate_json(config),
            data=shared.data,
            out=folder_of(shared.out, number),
            split=shared.split,
            progress=False,
            machine=shared.machine,
        )
    except DivergedError:
        return None
    return None if best is None else float(str(best.facts["val_dice"]))


def _result(ray: Any, reference: Any) -> float | TrialState:
    try:
        dice: float | None = ray.get(reference)
    except ray.exceptions.TaskCancelledError:
        return TrialState.PRUNED
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, StripscanError):
            raise error.cause from error
        raise
    return TrialState.FAIL if dice is None else dice


def _falls_behind(trial: Trial, folder: Path) -> bool:
    """Tell the trial what its run folder says, and return whether it is to be cut short."""
    try:
        with (folder / METRICS).open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        return False
    told = trial.storage.get_trial(trial._trial_id).intermediate_values
    for row in rows:
        if int(row["epoch"]) not in told:
            trial.report(float(row["val_dice"]), int(row["epoch"]))
    return bool(rows) and trial.should_prune()


def _connected(address: str) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # mills have no way out
    try:
        ray: Any = importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise missing_extra("ray", "--ray") from error
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (ConnectionError, ValueError) as error:
        raise MissingPartError(
            f"there is no Ray cluster at '{address}' ({error}). Start one with 'ray start --head', "
            f"or use --ray {LOCAL} for the processors of this computer"
        ) from error
    return ray
