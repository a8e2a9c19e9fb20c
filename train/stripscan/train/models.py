"""A network from its configuration."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import cast

import torch
from torch import Tensor, nn

from stripscan.contract.errors import ConfigError, DataError
from stripscan.train.compact import StripNet
from stripscan.train.config import CompactConfig, EnetConfig, ModelConfig, SmpConfig
from stripscan.train.enet import ENet

_HEADS = {"compact": "head", "enet": "head", "smp": "segmentation_head.0"}


def build_model(config: ModelConfig, *, classes: int, box_head: bool = False) -> nn.Module:
    """Return a network that maps float32 ``[N, 1, H, W]`` to logits ``[N, classes, H, W]``.

    Args:
        config: Which network.
        classes: Output channels, one per defect class.
        box_head: Give ``classes`` further channels, which learn filled boxes.

    Raises:
        ConfigError: segmentation-models-pytorch does not know the architecture or the encoder.
        DataError: The encoder's weights cannot be fetched.
    """
    outputs = 2 * classes if box_head else classes
    if isinstance(config, CompactConfig):
        return StripNet(
            classes=outputs,
            stem=config.stem,
            widths=config.widths,
            depths=config.depths,
            expand=config.expand,
            pyramid=config.pyramid,
        )
    if isinstance(config, EnetConfig):
        return ENet(classes=outputs)
    return _build_smp(config, classes=outputs)


def masks_only(
    state: Mapping[str, Tensor], config: ModelConfig, *, classes: int
) -> dict[str, Tensor]:
    """Return the weights of a network with both heads without those of the box head.

    What a network computes for masks does not depend on the other head, so nothing is lost.
    """
    head = _HEADS[config.kind]
    weight, bias = state[f"{head}.weight"], state[f"{head}.bias"]
    transposed = isinstance(config, EnetConfig)
    kept = weight[:, :classes] if transposed else weight[:classes]
    return {**state, f"{head}.weight": kept, f"{head}.bias": bias[:classes]}


def _build_smp(config: SmpConfig, *, classes: int) -> nn.Module:
    import segmentation_models_pytorch as smp  # noqa: PLC0415 - seconds to import, not always used

    architectures = [name.lower() for name in smp.MODEL_ARCHITECTURES_MAPPING]
    if config.architecture.lower() not in architectures:
        raise _unknown("architecture", config.architecture.lower(), architectures)
    encoders = smp.encoders.get_encoder_names()
    if config.encoder not in encoders and not config.encoder.startswith(("tu-", "timm-")):
        raise _unknown("encoder", config.encoder, encoders)
    try:
        model = smp.create_model(
            config.architecture,
            encoder_name=config.encoder,
            encoder_weights=config.encoder_weights,
            in_channels=1,
            classes=classes,
        )
    except OSError as error:
        raise DataError(
            f"the '{config.encoder_weights}' weights of '{config.encoder}' cannot be fetched "
            f"({type(error).__name__}). Without a network, train with --encoder-weights none"
        ) from error
    except (KeyError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"segmentation-models-pytorch cannot build '{config.architecture}' with encoder "
            f"'{config.encoder}' and weights '{config.encoder_weights}': {error}"
        ) from error
    return cast(nn.Module, model)


def _unknown(what: str, name: str, known: Sequence[str]) -> ConfigError:
    near = get_close_matches(name, known, n=3, cutoff=0.4) or known
    return ConfigError(
        f"segmentation-models-pytorch has no {what} '{name}'; the nearest: {', '.join(near)}"
    )


def parameters_m(model: nn.Module) -> float:
    """Return the number of parameters in millions."""
    return sum(p.numel() for p in model.parameters()) / 1e6


def gflop(model: nn.Module, *, size_px: int = 256) -> float:
    """Return the cost of one forward pass in 10⁹ floating-point operations.

    A multiplication and its addition count as two.

    Args:
        model: Maps ``[1, 1, size_px, size_px]``.
        size_px: Height and width of the image.
    """
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415 - pulls in much of torch

    training = model.training
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(torch.zeros(1, 1, size_px, size_px))
    model.train(training)
    return float(counter.get_total_flops()) / 1e9
