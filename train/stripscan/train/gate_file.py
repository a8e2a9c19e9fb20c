"""A trained gate as a file: weights as safetensors, with all that is known of it inside."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from stripscan.contract.errors import DataError
from stripscan.contract.files import atomic_write
from stripscan.train.gate_net import GateConfig, GateNet
from stripscan.train.gate_trainer import GateFigures

_RECORD = "stripscan-gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedGate:
    """What ``stripscan train-gate`` leaves behind.

    Attributes:
        config: How it was trained.
        state: Weights by name.
        limit: Logit from which a cell is marked.
        validation: What it passes of the pictures that the limit was chosen on.
        test: What it passes of the test split.
        data_digest: Digest of all pictures.
        split_digest: Digest of the split.
        teacher: Recipe and weights whose detections it passes, in words.
        versions: Version by package name.
        command: The command as it was typed.
    """

    config: GateConfig
    state: Mapping[str, Tensor]
    limit: float
    validation: GateFigures
    test: GateFigures
    data_digest: str
    split_digest: str
    teacher: str
    versions: Mapping[str, str]
    command: str

    def build(self) -> GateNet:
        """Return the network with its weights, in evaluation mode."""
        net = GateNet(self.config.widths)
        net.load_state_dict(dict(self.state))
        return net.eval()

    def record(self) -> dict[str, object]:
        """Return everything but the weights as JSON values."""
        told = {
            name: getattr(self, name)
            for name in ("limit", "data_digest", "split_digest", "teacher", "versions", "command")
        }
        return told | {
            "config": self.config.model_dump(mode="json"),
            "validation": asdict(self.validation),
            "test": asdict(self.test),
        }


def save_gate(gate: TrainedGate, path: Path) -> None:
    """Write a gate; a crash leaves the old file."""
    state = {name: tensor.detach().contiguous() for name, tensor in gate.state.items()}
    with atomic_write(path) as file:
        file.write(save(state, {_RECORD: json.dumps(gate.record(), sort_keys=True)}))


def load_gate(path: Path) -> TrainedGate:
    """Read a gate.

    Raises:
        DataError: The file is missing, damaged, or not written by ``stripscan train-gate``.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read as a safetensors file: {error}") from error
    try:
        record = json.loads(metadata[_RECORD])
        gate = TrainedGate(
            config=GateConfig.model_validate(record.pop("config")),
            state=state,
            validation=GateFigures(**record.pop("validation")),
            test=GateFigures(**record.pop("test")),
            **record,
        )
        with torch.no_grad():
            gate.build()
    except (KeyError, TypeError, ValueError, ValidationError, RuntimeError) as error:
        raise DataError(f"{path}: holds no gate of 'stripscan train-gate': {error}") from error
    return gate
