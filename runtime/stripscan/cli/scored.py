"""What ``stripscan eval`` scores: a bundle or a checkpoint, and what it has seen."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stripscan.contract.bundle import open_bundle
from stripscan.contract.errors import ConfigError, DataError
from stripscan.dataset.images import pixel_digest
from stripscan.dataset.samples import Sample
from stripscan.dataset.scoring.evaluation import Picture
from stripscan.dataset.scoring.segmented import Segment
from stripscan.dataset.split import Split, read_split
from stripscan.runtime.commands.predict import bundle_path
from stripscan.runtime.engines.choice import EngineChoice, choose_variant, open_engine
from stripscan.runtime.evaluate import engine_segmenter, seen_images
from stripscan.terminal.extras import needs_extra

_SPLIT_FILE = "split.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredModel:
    """A model to score.

    Attributes:
        title: What a person reads.
        segment: Segments an image.
        mm_per_px: Pitch of the images that it was trained at, in mm.
        seen: Pixel digests of the images that it was trained or tuned on.
        split: Whose test part is scored; None for all images that were not seen.
        split_file: Where it lies.
    """

    title: str
    segment: Segment
    mm_per_px: float
    seen: frozenset[str]
    split: Split | None
    split_file: Path | None


def bundle_to_score(given: str, split_file: Path | None, choice: EngineChoice) -> ScoredModel:
    """Open a bundle, and the file in it that an engine takes.

    Raises:
        BundleError: It is no bundle, is damaged, or has no file for the engine.
        MissingPartError: The engine's package or device is missing.
        DataError: The split cannot be used.
    """
    bundle = open_bundle(bundle_path(given))
    engine = open_engine(bundle, choice)
    precision = choose_variant(bundle, choice).precision
    return ScoredModel(
        title=f"{bundle.manifest.name}, {bundle.digest[:12]}, {precision}, {engine.description}",
        segment=engine_segmenter(engine, bundle.manifest.min_area_px),
        mm_per_px=bundle.manifest.input.mm_per_px,
        seen=seen_images(bundle),
        split=read_split(split_file) if split_file else None,
        split_file=split_file,
    )


def checkpoint_to_score(path: Path, split_file: Path | None, *, include_seen: bool) -> ScoredModel:
    """Open a checkpoint, with the split that lies beside it where none is given.

    A checkpoint does not list the images of its training: without the split that it was trained
    with, nobody could say which images are new to it.

    Raises:
        ConfigError: There is no split.
        DataError: The checkpoint or the split cannot be used, or it was trained with another.
        MissingPartError: The train extra is not installed.
    """
    with needs_extra("train", "stripscan eval --checkpoint"):
        from stripscan.train.checkpoint import load_checkpoint  # noqa: PLC0415 - torch
        from stripscan.train.segmenter import checkpoint_segmenter  # noqa: PLC0415

    checkpoint = load_checkpoint(path)
    beside = path.parent / _SPLIT_FILE
    if split_file is None and not include_seen:
        if not beside.is_file():
            raise ConfigError(
                f"{path}: no {_SPLIT_FILE} lies beside it, which says what it was trained on; "
                "give --split, or --include-seen to score all images"
            )
        split_file = beside
    split = read_split(split_file) if split_file else None
    trained = checkpoint.facts.get("split_digest")
    if split is not None and trained != split.digest:
        raise DataError(
            f"{path}: the checkpoint was trained with split {trained}, {split_file} is "
            f"{split.digest}: its test part may hold images of the training; give the "
            f"{_SPLIT_FILE} of the run folder"
        )
    return ScoredModel(
        title=f"{checkpoint.config.recipe}, {path.name}",
        segment=checkpoint_segmenter(checkpoint),
        mm_per_px=checkpoint.config.input.mm_per_px,
        seen=_seen_by(split),
        split=split,
        split_file=split_file,
    )


def samples_to_score(model: ScoredModel, samples: list[Sample]) -> list[Sample]:
    """Return the samples of the split's test part, or all where there is no split.

    Raises:
        DataError: The test part is empty, or images of it are not among the samples.
    """
    if model.split is None:
        return samples
    wanted = set(model.split.test)
    if not wanted:
        raise DataError(f"{model.split_file}: has no test images; draw it with a larger --test")
    chosen = [sample for sample in samples if sample.name in wanted]
    if len(chosen) < len(wanted):
        raise DataError(
            f"{model.split_file}: {len(wanted) - len(chosen)} of its {len(wanted)} test images "
            "are not in the data folder"
        )
    return chosen


def unchanged(pictures: Iterable[Picture], split: Split | None) -> Iterator[Picture]:
    """Yield pictures, each checked against the pixels that the split was drawn from.

    Raises:
        DataError: A picture has other pixels.
    """
    for sample, image in pictures:
        expected = split.pixels.get(sample.name) if split else None
        if expected and pixel_digest(image) != expected:
            raise DataError(
                f"{sample.image}: the pixels differ from those that the split was drawn from; "
                "restore the image or draw the split again"
            )
        yield sample, image


def _seen_by(split: Split | None) -> frozenset[str]:
    if split is None:
        return frozenset()
    names = (*split.train, *split.val)
    return frozenset(split.pixels[name] for name in names if name in split.pixels)
