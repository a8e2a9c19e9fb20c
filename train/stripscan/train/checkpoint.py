"""Checkpoints: weights as safetensors, with the resolved configuration inside."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from stripscan.contract.errors import DataError
from stripscan.contract.files import atomic_write
from stripscan.train.config import TrainConfig
from stripscan.train.models import build_model, masks_only

_RECORD = "stripscan"
_SHA256 = "sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a training run leaves behind.

    Attributes:
        config: The resolved configuration.
        state: Weights by name.
        thresholds: Per class, the probability from which a pixel counts, 0–1.
        min_area_px: Per class, the smallest defect that is reported, in pixels; empty where it was
            not chosen.
        facts: What was measured and used: epoch, scores, digests, versions.
    """

    config: TrainConfig
    state: dict[str, Tensor]
    thresholds: dict[str, float]
    facts: dict[str, object]
    min_area_px: dict[str, int] = field(default_factory=dict)

    def build(self, *, box_head: bool = False) -> nn.Module:
        """Return the network with its weights, in evaluation mode.

        Args:
            box_head: Keep the second head, where the network has one: logits then have twice as
                many channels, masks first.

        Raises:
            DataError: The weights are those of another network.
        """
        model_config = self.config.model
        if model_config.kind == "smp":  # the weights are here; do not fetch others first
            model_config = model_config.model_copy(update={"encoder_weights": None})
        classes, state = len(self.config.classes), self.state
        both = self.config.box_head and box_head
        if self.config.box_head and not box_head:
            state = masks_only(state, model_config, classes=classes)
        model = build_model(model_config, classes=classes, box_head=both)
        try:
            model.load_state_dict(state)
        except RuntimeError as error:
            raise DataError(
                f"the weights of the checkpoint do not fit the network that its configuration "
                f"names; train again with this version of stripscan. {error}"
            ) from error
        return model.eval()


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; a crash leaves the old file."""
    record = json.dumps(
        {
            "config": checkpoint.config.model_dump(mode="json"),
            "thresholds": checkpoint.thresholds,
            "min_area_px": checkpoint.min_area_px,
            "facts": checkpoint.facts,
        },
        sort_keys=True,
    )
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.state.items()}
    with atomic_write(path) as file:
        file.write(save(state, {_RECORD: record, _SHA256: _sha256(record, state)}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        DataError: The file is missing, damaged, or not written by ``stripscan train``.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read as a safetensors checkpoint: {error}") from error
    # safetensors has no checksum of its own, and a flipped bit of a weight breaks nothing else.
    if _SHA256 in metadata and metadata[_SHA256] != _sha256(metadata.get(_RECORD, ""), state):
        raise DataError(f"{path}: the checkpoint is damaged (SHA-256 differs); copy it again")
    try:
        record = json.loads(metadata[_RECORD])
        return Checkpoint(
            config=TrainConfig.model_validate(record["config"]),
            state=state,
            thresholds={str(k): float(v) for k, v in record["thresholds"].items()},
            facts=dict(record["facts"]),
            min_area_px={str(k): int(v) for k, v in record.get("min_area_px", {}).items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError, ValidationError) as error:
        raise DataError(
            f"{path}: holds weights but not the configuration of 'stripscan train': {error}"
        ) from error


def _sha256(record: str, state: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(record.encode())
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def model_state(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of all weights and buffers on the CPU."""
    with torch.no_grad():
        return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
