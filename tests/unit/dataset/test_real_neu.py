import dataclasses
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from stripscan.dataset.neu import SD_CLASSES, find_samples
from stripscan.dataset.samples import load
from stripscan.dataset.sources import match_sources

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(
        "STRIPSCAN_DATA" not in os.environ,
        reason="STRIPSCAN_DATA names no folder with the NEU data sets",
    ),
]


@pytest.fixture(scope="module")
def samples():
    return find_samples(Path(os.environ["STRIPSCAN_DATA"]))


def test_every_25th_label_can_be_loaded(samples):
    some = samples[::25]

    shown: Counter[str] = Counter()
    for sample in some:
        labelled = load(sample)
        drawn = labelled.target if labelled.boxes is None else labelled.boxes
        shown[sample.dataset] += bool(drawn.any())

    assert set(shown) == {"neu-det", "neu-seg", "sd-saliency-900"}
    assert sum(shown.values()) == len(some)


def test_copies_across_data_sets_are_found_by_their_pixels_alone(samples):
    by_name = {s.name: s for s in samples}
    pairs = [
        (s, by_name[f"neu-det/{SD_CLASSES[s.image.stem[:2]]}_{s.image.stem[3:]}"])
        for s in samples
        if s.dataset == "sd-saliency-900"
    ][::8]
    # Another name of the data set, so that names cannot help.
    chosen = [dataclasses.replace(s, dataset="x") for pair in pairs for s in pair]

    picture = match_sources(chosen).picture

    assert picture[::2].tolist() == picture[1::2].tolist()
    assert len(np.unique(picture)) == len(pairs)
