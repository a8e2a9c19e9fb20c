"""``stripscan predict``: masks for single images."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from stripscan.contract.bundle import open_bundle
from stripscan.contract.errors import ConfigError, StoreError
from stripscan.runtime.daemon import default_bundle_path
from stripscan.runtime.engines.choice import engine_choice, open_engine
from stripscan.runtime.predict import Prediction, annotation_of
from stripscan.runtime.predict import predict as predict_image
from stripscan.terminal.console import results, say

EngineOption = Annotated[
    str | None,
    typer.Option(help="onnx, onnx-cuda, onnx-tensorrt, openvino or tensorrt; onnx if not given."),
]
PrecisionOption = Annotated[
    str | None, typer.Option(help="fp32, fp16 or int8; the engine's usual one if not given.")
]

DEFAULT = "default"
"""In place of a bundle's path: the one that comes with stripscan."""


def bundle_path(given: str) -> Path:
    """Return the path of a bundle as it is given on the command line."""
    return default_bundle_path() if given == DEFAULT else Path(given)


def predict(
    bundle: Annotated[str, typer.Argument(help="A bundle, or 'default'.")],
    images: Annotated[list[Path], typer.Argument(help="Images, 8 bit.")],
    out: Annotated[Path, typer.Option(help="Folder for masks, overlays and records.")] = Path(
        "predictions"
    ),
    annotations: Annotated[
        Path | None,
        typer.Option(help="VOC file or mask, or a folder with one of the same stem per image."),
    ] = None,
    engine: EngineOption = None,
    precision: PrecisionOption = None,
) -> None:
    """Segment images and write masks, overlays and run lengths."""
    stems = [image.stem for image in images]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise ConfigError(
            f"two images are called '{twice[0]}': their results would overwrite each other; "
            "give them in two calls with another --out"
        )
    opened = open_bundle(bundle_path(bundle))
    choice = engine_choice(engine, precision)
    labels = [annotation_of(image, annotations) if annotations else None for image in images]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{out}: cannot be made: {error.strerror}") from error
    with closing(open_engine(opened, choice)) as running:
        for image, label in zip(images, labels, strict=True):
            line = _line(predict_image(running, opened, image, out, annotation=label))
            results.print(line, soft_wrap=True)
    say(f"masks, overlays and records are in {out}")


def _line(result: Prediction) -> str:
    total = result.mask.size
    found = ", ".join(f"{name} {px / total:.1%}" for name, px in result.area_px.items())
    line = f"{result.image}: {found or 'no defect'}"
    if result.iou:
        line += " | IoU " + ", ".join(f"{name} {value:.2f}" for name, value in result.iou.items())
    return line
