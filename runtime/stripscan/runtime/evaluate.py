"""Scores what a bundle's exported model does on labelled images."""

from collections.abc import Callable, Sequence

from stripscan.contract.bundle import Bundle
from stripscan.contract.errors import BundleError, DataError
from stripscan.dataset.evaluation import Evaluation, Evaluator
from stripscan.dataset.images import pixel_digest, read_mono
from stripscan.dataset.samples import Sample, load
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.still import segment_image

SEEN_FILE = "provenance/seen.txt"
"""In a bundle: the pixel digests of all images that were trained on or chosen by, one a line."""


def seen_images(bundle: Bundle) -> frozenset[str]:
    """Return the pixel digests of the images that the model was trained or tuned on.

    Raises:
        BundleError: The file of digests is damaged.
    """
    if SEEN_FILE not in bundle.manifest.files:
        return frozenset()
    try:
        return frozenset(bundle.read(SEEN_FILE).decode("ascii").split())
    except UnicodeDecodeError as error:
        raise BundleError(f"{bundle.path}: {SEEN_FILE} is not a list of digests") from error


def unseen(samples: Sequence[Sample], seen: frozenset[str]) -> list[Sample]:
    """Return the samples whose pixels the model has never seen, whatever their files are called.

    Raises:
        DataError: An image cannot be read.
    """
    return [s for s in samples if pixel_digest(read_mono(s.image)) not in seen]


def evaluate(
    engine: Engine, samples: Sequence[Sample], *, on_image: Callable[[], None] = lambda: None
) -> Evaluation:
    """Run the engine over labelled images and score its masks.

    Args:
        engine: What runs the model.
        samples: Labelled images.
        on_image: Called after each image.

    Raises:
        DataError: There is nothing to score, or an image or label cannot be read.
        EngineError: Inference failed.
    """
    if not samples:
        raise DataError("there is no image to score: every one was seen in training")
    evaluator = Evaluator()
    for sample in samples:
        labelled = load(sample)
        mask, _ = segment_image(engine, labelled.image)
        evaluator.add(sample, labelled, mask)
        on_image()
    return evaluator.result()
