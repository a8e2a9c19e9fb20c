"""A model repository for NVIDIA Triton Inference Server, from the ONNX files of a bundle.

Triton runs them on its ``onnxruntime`` backend. Layout and fields are those of Triton's
``model_repository.md``, ``model_config.proto`` and, for TensorRT, the README of that backend.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from stripscan.contract.bundle import Bundle
from stripscan.contract.errors import BundleError, ConfigError
from stripscan.contract.graph import IMAGE, MASK, SCORE, SIZE_MULTIPLE_PX
from stripscan.contract.manifest import Variant
from stripscan.contract.packing import pack_folder
from stripscan.contract.serving import BUNDLE_KEY, MODEL_KEY, served_name

CONFIG_FILE: Final = "config.pbtxt"
MODEL_FILE: Final = "1/model.onnx"
_VERSION: Final = 1
_MARK: Final = "# Written by 'stripscan export --to triton', which replaces it: do not edit.\n"
_WORKSPACE_BYTES: Final = 1 << 30

logger = logging.getLogger(__name__)


class _Word(str):
    """A value of an enumeration, which stands without quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryOptions:
    """How the server runs the models.

    Attributes:
        device: Where the instances are.
        instances: Instances of each model, on every GPU or on the CPU.
        threads: Threads inside an operator of an instance on the CPU; 0 takes one a core.
        max_batch: Most tiles in one run, of all lines together; larger requests are refused.
        preferred_batches: Numbers of tiles for which the server does not wait any longer; a
            quarter of ``max_batch``, a half and all of it where None.
        queue_delay_us: How long the server waits for tiles of other lines, in µs.
        queue_timeout_us: After so long in the queue a request is refused, in µs. A station can
            ask for less, not for more.
        queue_size: Waiting requests beyond which new ones are refused.
        tile_px: Side of the only tiles that are taken, in px; any multiple of 32 px where None.
        tensorrt: Let the backend run what it can on TensorRT. It builds its engines at every
            start of the server, for one size of tiles.

    Raises:
        ConfigError: A value is out of range, or they contradict each other.
    """

    device: Literal["gpu", "cpu"] = "gpu"
    instances: int = 1
    threads: int = 0
    max_batch: int = 32
    preferred_batches: tuple[int, ...] | None = None
    queue_delay_us: int = 2_000
    queue_timeout_us: int = 500_000
    queue_size: int = 256
    tile_px: int | None = None
    tensorrt: bool = False

    def __post_init__(self) -> None:
        least = {"instances": 1, "threads": 0, "max_batch": 1, "queue_delay_us": 0}
        for name, low in (least | {"queue_timeout_us": 1, "queue_size": 1}).items():
            if getattr(self, name) < low:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be at least {low}")
        for batch in self.batches:
            if not 1 <= batch <= self.max_batch:
                raise ConfigError(
                    f"a preferred batch of {batch} tiles is not in 1 to max_batch, {self.max_batch}"
                )
        if self.tile_px is not None and (self.tile_px < 1 or self.tile_px % SIZE_MULTIPLE_PX):
            raise ConfigError(
                f"tile_px is {self.tile_px}: it must be a multiple of {SIZE_MULTIPLE_PX} px"
            )
        if self.tensorrt and (self.device != "gpu" or self.tile_px is None):
            raise ConfigError(
                "tensorrt needs device gpu and tile_px: it builds an engine for one size of tiles"
            )

    @property
    def batches(self) -> tuple[int, ...]:
        """Numbers of tiles for which the server does not wait, ascending."""
        chosen = self.preferred_batches
        if chosen is None:
            chosen = tuple(max(1, self.max_batch // part) for part in (4, 2, 1))
        return tuple(sorted(set(chosen)))


def write_model_repository(
    bundle: Bundle,
    out: Path,
    *,
    options: RepositoryOptions | None = None,
    variants: Sequence[Variant] | None = None,
) -> tuple[str, ...]:
    """Write a model repository, replacing an earlier one whole or not at all.

    Args:
        bundle: What is served.
        out: The folder; its parent exists. One that holds anything else is not replaced.
        options: How the server runs the models; the defaults where None.
        variants: Which ONNX files are served, each as a model of its own; all that are made for
            ``options.device`` where None.

    Returns:
        The names of the models.

    Raises:
        BundleError: The bundle has no ONNX file or a name that cannot be served, something else is
            in the way, or ``out`` cannot be written. What was there is untouched.
    """
    options = options or RepositoryOptions()
    if variants is None:
        variants = [v for v in bundle.manifest.variants if v.runs_on in ("any", options.device)]
    models = {served_name(bundle, v): v for v in variants if v.engine == "onnx"}
    if not models:
        raise BundleError(
            f"{bundle.path}: holds no ONNX model for the {options.device}; export one with "
            "--to onnx"
        )
    _check_replaceable(out)
    try:
        pack_folder(out, _entries(bundle, models, options))
    except OSError as error:
        raise BundleError(
            f"{out}: cannot be written ({error.strerror or error}), what was there is untouched: "
            "check that the folder above exists, may be written to, and has space"
        ) from error
    logger.info("wrote model repository", extra={"folder": out, "models": list(models)})
    return tuple(models)


def model_config(bundle: Bundle, variant: Variant, options: RepositoryOptions) -> str:
    """Return ``config.pbtxt`` of one model: a ``ModelConfig`` in protobuf's text format."""
    dims = [options.tile_px or -1] * 2
    pixels = {"data_type": _Word("TYPE_UINT8"), "dims": dims}
    fields: dict[str, object] = {
        "name": served_name(bundle, variant),
        "backend": "onnxruntime",
        "default_model_filename": Path(MODEL_FILE).name,
        "max_batch_size": options.max_batch,
        "input": {"name": IMAGE, **pixels},
        "output": [{"name": name, **pixels} for name in (MASK, SCORE)],
        "version_policy": {"specific": {"versions": _VERSION}},
        "instance_group": {
            "kind": _Word(f"KIND_{options.device.upper()}"),
            "count": options.instances,
        },
        "dynamic_batching": {
            "preferred_batch_size": list(options.batches),
            "max_queue_delay_microseconds": options.queue_delay_us,
            "default_queue_policy": {
                "timeout_action": _Word("REJECT"),
                "default_timeout_microseconds": options.queue_timeout_us,
                "allow_timeout_override": True,
                "max_queue_size": options.queue_size,
            },
        },
        "model_warmup": _warm_up(options.tile_px or bundle.manifest.input.tile_px, options),
        "parameters": _parameters(bundle, variant, options),
    }
    if options.tensorrt:
        fields["optimization"] = _tensorrt(variant, options)
    return "\n".join((_MARK, *_lines(fields), ""))


def _warm_up(tile_px: int, options: RepositoryOptions) -> list[object]:
    """Return a run for each size that will be met, so that no line waits for the first."""
    pixels = {"data_type": _Word("TYPE_UINT8"), "dims": [tile_px] * 2, "random_data": True}
    return [
        {
            "name": f"{batch} tiles of {tile_px} px",
            "batch_size": batch,
            "inputs": {"key": IMAGE, "value": pixels},
        }
        for batch in sorted({1, *options.batches, options.max_batch})
    ]


def _parameters(bundle: Bundle, variant: Variant, options: RepositoryOptions) -> list[object]:
    """Return what a client checks and a reader wants to know, and the threads for the backend."""
    manifest = bundle.manifest
    texts = {
        BUNDLE_KEY: bundle.digest,
        MODEL_KEY: variant.sha256,
        "stripscan.bundle_name": manifest.name,
        "stripscan.precision": variant.precision,
        "stripscan.classes": json.dumps({c.id: c.name for c in manifest.classes}),
        "stripscan.thresholds": json.dumps(dict(manifest.thresholds)),
    }
    if options.device == "cpu":
        texts["intra_op_thread_count"] = str(options.threads)
    return [{"key": key, "value": {"string_value": text}} for key, text in texts.items()]


def _tensorrt(variant: Variant, options: RepositoryOptions) -> dict[str, object]:
    """Return the accelerator; the precision is that of the graph, and only allowed here."""
    shape = f"x{options.tile_px}x{options.tile_px}"
    values = {
        "precision_mode": variant.precision.upper(),
        "max_workspace_size_bytes": str(_WORKSPACE_BYTES),
        "trt_profile_min_shapes": f"{IMAGE}:1{shape}",
        "trt_profile_opt_shapes": f"{IMAGE}:{max(options.batches, default=1)}{shape}",
        "trt_profile_max_shapes": f"{IMAGE}:{options.max_batch}{shape}",
    }
    pairs = [{"key": key, "value": value} for key, value in values.items()]
    accelerator = {"name": "tensorrt", "parameters": pairs}
    return {"execution_accelerators": {"gpu_execution_accelerator": accelerator}}


def _lines(fields: Mapping[str, object], indent: str = "") -> Iterator[str]:
    """Yield a message in protobuf's text format; what is repeated is a list."""
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, Mapping):
                yield f"{indent}{name} {{"
                yield from _lines(one, indent + "  ")
                yield f"{indent}}}"
            else:
                plain = isinstance(one, _Word)
                yield f"{indent}{name}: {one if plain else json.dumps(one, ensure_ascii=False)}"


def _entries(
    bundle: Bundle, models: Mapping[str, Variant], options: RepositoryOptions
) -> Iterator[tuple[str, bytes]]:
    for name, variant in models.items():
        yield f"{name}/{CONFIG_FILE}", model_config(bundle, variant, options).encode()
        yield f"{name}/{MODEL_FILE}", bundle.read(variant.file)


def _check_replaceable(out: Path) -> None:
    """Check that writing the folder removes nothing but what was written here before."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise BundleError(f"{out}: a file or link is in the way of the folder: remove it")
    for path in sorted(out.rglob("*")) if out.exists() else ():
        parts = path.relative_to(out).parts
        model = out / parts[0]
        known = (model, model / CONFIG_FILE, model / MODEL_FILE, (model / MODEL_FILE).parent)
        if path.is_symlink() or path not in known or not _is_ours(model / CONFIG_FILE):
            raise BundleError(
                f"{out}: is not replaced, as {path.relative_to(out)} in it is none that "
                "'stripscan export' wrote: move it away, or write to another folder"
            )


def _is_ours(config: Path) -> bool:
    if config.is_symlink() or not config.is_file():
        return False
    with config.open("rb") as file:
        return file.read(len(_MARK.encode())) == _MARK.encode()
