"""``stripscan export``."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

import typer
from rich.table import Table

from stripscan.contract.bundle import Bundle
from stripscan.contract.errors import ConfigError
from stripscan.contract.graph import SIZE_MULTIPLE_PX
from stripscan.contract.manifest import Variant
from stripscan.runtime.engines.tensorrt_build import BuildOptions, tile_profile
from stripscan.terminal.console import results, say
from stripscan.terminal.extras import needs_extra

Word = TypeVar("Word", bound=str)

TARGETS: Final = ("onnx", "openvino", "trt", "triton")
ALIASES: Final = {"tensorrt": "trt", "engine": "trt"}
HARDWARE: Final[tuple[Literal["this", "ampere+"], ...]] = ("this", "ampere+")
DEVICES: Final[tuple[Literal["gpu", "cpu"], ...]] = ("gpu", "cpu")
_LEAST_TILE_PX: Final = 32
_MOST_TILE_PX: Final = 4096
PRECISIONS: Final[tuple[Literal["fp32", "fp16", "int8"], ...]] = ("fp32", "fp16", "int8")


def export(
    checkpoint: Annotated[Path, typer.Argument(help="What 'stripscan train' wrote.")],
    out: Annotated[
        Path, typer.Option(help="The bundle: a folder, or one file if it ends in .zip.")
    ],
    to: Annotated[str, typer.Option(help=f"Targets: {', '.join(TARGETS)}.")] = "onnx",
    precision: Annotated[
        str, typer.Option(help=f"Forms of the model: {', '.join(PRECISIONS)}.")
    ] = "fp32",
    tile: Annotated[
        str, typer.Option(help="Side of a tile in px; more with commas for --fixed and trt.")
    ] = "256",
    batch: Annotated[
        int, typer.Option(min=1, max=1024, help="trt, triton: most tiles in a call.")
    ] = 16,
    fixed: Annotated[
        bool,
        typer.Option("--fixed", help="onnx: files of just this batch and tile size as well."),
    ] = False,
    workspace_mib: Annotated[
        int, typer.Option("--workspace", min=16, help="trt: scratch memory to build with, MiB.")
    ] = 1024,
    optimisation: Annotated[
        int, typer.Option(min=0, max=5, help="trt: how long to look for fast kernels.")
    ] = 3,
    hardware: Annotated[
        str, typer.Option(help="trt: 'this' GPU, or 'ampere+' for all from Ampere on.")
    ] = "this",
    version_compatible: Annotated[
        bool, typer.Option("--version-compatible", help="trt: for later versions as well.")
    ] = False,
    triton_device: Annotated[str, typer.Option(help="triton: 'gpu' or 'cpu'.")] = "gpu",
    data: Annotated[
        Path | None, typer.Option(help="Folder with data sets, to check and score on.")
    ] = None,
    split: Annotated[Path | None, typer.Option(help="Split file; its test part is scored.")] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the bundle; the recipe's if none.")
    ] = None,
    keep_failing: Annotated[
        Path | None, typer.Option(help="Folder for a file that fails the parity gate.")
    ] = None,
) -> None:
    """Turn a checkpoint into a verified bundle."""
    targets = _chosen("--to", _without_aliases(to), TARGETS)
    precisions = _chosen("--precision", precision, PRECISIONS)
    for_gpus = _one("--hardware", hardware, HARDWARE)
    server = _one("--triton-device", triton_device, DEVICES)
    tiles_px = _sizes(tile)
    if (data is None) != (split is None):
        raise ConfigError("--data and --split go together: the split says which images are test")
    with needs_extra("export", "stripscan export"):
        from stripscan.dataset.split import read_split  # noqa: PLC0415 - extras load on demand
        from stripscan.export.build import Plan, TestData, build_bundle  # noqa: PLC0415
        from stripscan.export.fixed_shape import write_fixed  # noqa: PLC0415
        from stripscan.export.tensorrt import write_engines  # noqa: PLC0415
        from stripscan.export.triton import (  # noqa: PLC0415
            RepositoryOptions,
            write_model_repository,
        )
        from stripscan.train.checkpoint import load_checkpoint  # noqa: PLC0415

    loaded = load_checkpoint(checkpoint)
    test = TestData(folder=data, split=read_split(split)) if data and split else None
    bundle = build_bundle(
        loaded,
        out,
        name=name or loaded.config.recipe,
        data=test,
        command=_command(checkpoint, targets, precisions, data, split),
        plan=Plan(
            precisions=precisions,
            openvino="openvino" in targets,
            tensorrt="trt" in targets,
            tile_px=tiles_px[0],
            keep_failing=keep_failing,
        ),
        on_step=say,
    )
    results.print(_table(bundle.manifest.variants))
    results.print(f"{out}: {bundle.manifest.name}, {bundle.digest[:12]}")
    if fixed:
        for file in write_fixed(bundle, _beside(out, "onnx"), batch=batch, tiles_px=tiles_px):
            results.print(str(file))
    if "triton" in targets:
        folder = _beside(out, "triton")
        options = RepositoryOptions(device=server, max_batch=batch)
        names = write_model_repository(bundle, folder, options=options)
        results.print(f"{folder}: {', '.join(names)}")
    if "trt" in targets:
        build = BuildOptions(
            profiles=tuple(tile_profile(batch=batch, tile_px=size) for size in sorted(tiles_px)),
            workspace_mib=workspace_mib,
            optimisation_level=optimisation,
            hardware=for_gpus,
            version_compatible=version_compatible,
        )
        for engine in write_engines(_for_gpus(bundle), _beside(out, "tensorrt"), build):
            results.print(str(engine))


def _without_aliases(words: str) -> str:
    return ",".join(ALIASES.get(word.strip(), word) for word in words.split(","))


def _sizes(words: str) -> tuple[int, ...]:
    """Return the sides of tiles that an option names, in px, the bundle's own first."""
    sizes = []
    for word in words.split(","):
        size = int(word) if word.strip().isdecimal() else 0
        if not _LEAST_TILE_PX <= size <= _MOST_TILE_PX or size % SIZE_MULTIPLE_PX:
            raise ConfigError(
                f"--tile {word.strip()}: must be a multiple of {SIZE_MULTIPLE_PX} px, "
                f"{_LEAST_TILE_PX} to {_MOST_TILE_PX}"
            )
        sizes.append(size)
    return tuple(dict.fromkeys(sizes))


def _beside(out: Path, what: str) -> Path:
    """Return the folder beside a bundle for what is no part of it."""
    return out.with_name(f"{out.name.removesuffix('.zip')}-{what}")


def _for_gpus(bundle: Bundle) -> dict[str, bytes]:
    """Return the ONNX files that TensorRT can build engines of, by the engines' names."""
    return {
        variant.file.removesuffix(".onnx"): bundle.read(variant.file)
        for variant in bundle.manifest.variants
        if variant.engine == "onnx" and variant.runs_on != "cpu"
    }


def _chosen(option: str, words: str, known: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return what an option with commas names, in the order of what is known."""
    asked = {word.strip() for word in words.split(",")}
    if unknown := sorted(asked - set(known)):
        raise ConfigError(f"{option} {unknown[0]}: unknown; choose from {', '.join(known)}")
    return tuple(word for word in known if word in asked)


def _one(option: str, word: str, known: tuple[Word, ...]) -> Word:
    for each in known:
        if each == word:
            return each
    raise ConfigError(f"{option} {word}: unknown; choose from {', '.join(known)}")


def _table(variants: Sequence[Variant]) -> Table:
    """Return the parity reports of the files of a bundle."""
    table = Table(title="held against the checkpoint", title_justify="left")
    table.add_column("file", no_wrap=True)
    for heading in ("MB", "same pixels", "logit error", "missed", "invented", "mIoU"):
        table.add_column(heading, justify="right")
    for variant in variants:
        parity, scores = variant.parity, variant.scores
        if parity is None:
            continue
        error = parity.max_abs_logit_error
        miou = scores.miou_pixel if scores else None
        table.add_row(
            variant.file,
            f"{variant.size_bytes / 1e6:.2f}",
            f"{parity.mask_agreement:.3%}",
            "–" if error is None else f"{error:.2g}",
            f"{parity.defects_missed} of {parity.defects}",
            f"{parity.defects_invented}",
            "–" if miou is None else f"{miou:.4f}",
        )
    return table


def _command(
    checkpoint: Path,
    targets: Sequence[str],
    precisions: Sequence[str],
    data: Path | None,
    split: Path | None,
) -> str:
    """Return the command for the record, without the folders of the machine it ran on."""
    words = ["stripscan", "export", checkpoint.name, "--to", ",".join(targets)]
    words += ["--precision", ",".join(precisions)]
    if data and split:
        words += ["--data", data.name, "--split", split.name]
    return shlex.join(words)
