"""What a run trains on: processors, precision, and how Lightning is told."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import lightning
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.strategies import DDPStrategy

from stripscan.contract.errors import ConfigError, MissingPartError
from stripscan.contract.files import atomic_write
from stripscan.train.config import TrainConfig
from stripscan.train.loaders import Share

Accelerator = Literal["auto", "cpu", "gpu"]

_PRECISION: Final[dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What to train on.

    Attributes:
        accelerator: ``auto`` takes a GPU where there is one.
        devices: GPUs, or processes on a CPU, of each node; ``auto`` takes all GPUs. None is what
            torchrun or SLURM started, otherwise one.
        nodes: Computers; None is what torchrun or SLURM started, otherwise one.
    """

    accelerator: Accelerator = "auto"
    devices: int | Literal["auto"] | None = None
    nodes: int | None = None


class _WholeFiles(TorchCheckpointIO):
    """Writes a state so that a kill leaves the one before."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        with atomic_write(Path(path)) as file:
            torch.save(checkpoint, file)


def new_trainer(config: TrainConfig, machine: Machine, *, progress: bool) -> lightning.Trainer:
    """Return Lightning's trainer for a run, without callbacks and loggers of the run.

    Raises:
        ConfigError: The precision is not for this machine, or the processes that were started are
            not those that were asked for.
        MissingPartError: The devices are not there.
    """
    on_gpu = machine.accelerator != "cpu" and torch.cuda.is_available()
    if config.precision == "fp16" and not on_gpu:
        raise ConfigError(
            "precision fp16 needs a GPU: on a CPU it is slower and rounds away small gradients. "
            "Take fp32, or bf16 where the CPU computes in it"
        )
    devices, nodes = _size(machine, on_gpu=on_gpu)
    alone = devices * nodes == 1
    try:
        return lightning.Trainer(
            max_epochs=config.epochs,
            accelerator=machine.accelerator,
            devices=devices,
            num_nodes=nodes,
            # The statistics of the norms are averaged once an epoch, by ``SharedStatistics``:
            # broadcasting them in each pass needs equally many passes in all processes.
            strategy="auto" if alone else DDPStrategy(broadcast_buffers=False),
            precision=_PRECISION[config.precision],
            accumulate_grad_batches=config.optimiser.accumulate,
            gradient_clip_val=config.optimiser.gradient_clip,
            plugins=[_WholeFiles(), *_cluster()],
            logger=False,
            callbacks=[RichProgressBar()] if progress else None,
            enable_progress_bar=progress,
            enable_checkpointing=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            use_distributed_sampler=False,
        )
    except MisconfigurationException as error:
        raise MissingPartError(
            f"cannot train with --accelerator {machine.accelerator} on {devices} device(s): "
            f"{str(error).strip()}"
        ) from error
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"cannot train on {devices} device(s), {nodes} node(s): {error}"
        ) from error


def _cluster() -> list[SLURMEnvironment]:
    """Return SLURM without Lightning's own requeueing, which would resume from other files."""
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return []
    return [SLURMEnvironment(auto_requeue=False)]


def share_of(trainer: lightning.Trainer) -> Share:
    """Return which of the processes this one is."""
    return Share(rank=trainer.global_rank, world=trainer.world_size)


def _size(machine: Machine, *, on_gpu: bool) -> tuple[int, int]:
    """Return devices per node, and nodes.

    Raises:
        ConfigError: They are not the processes that torchrun or SLURM started.
    """
    started = _started()
    devices, nodes = started or (1, 1)
    if machine.devices == "auto":
        devices = torch.cuda.device_count() if on_gpu else devices
    elif machine.devices is not None:
        devices = machine.devices
    nodes = machine.nodes or nodes
    if started is not None and (devices, nodes) != started:
        raise ConfigError(
            f"torchrun or SLURM started {started[0]} process(es) on {started[1]} node(s), which "
            f"does not fit --devices {devices} --nodes {nodes}: leave both options out"
        )
    return devices, nodes


def _started() -> tuple[int, int] | None:
    """Return the processes per node, and nodes, that torchrun or SLURM started."""
    if TorchElasticEnvironment.detect():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        return devices, int(os.environ["WORLD_SIZE"]) // devices
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return int(os.environ["SLURM_NTASKS"]) // nodes, nodes
    return None
