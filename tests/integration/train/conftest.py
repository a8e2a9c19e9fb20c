"""A tiny data set, drawn once."""

from pathlib import Path

import pytest

from stripscan.dataset.neu import find_samples
from stripscan.dataset.split import Split, group_sources, split_by_source, write_split


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    from unit.train.train_samples import draw_tiles

    folder: Path = tmp_path_factory.mktemp("data")
    draw_tiles(folder, 24)
    return folder


@pytest.fixture(scope="session")
def split(data: Path) -> Split:
    samples = find_samples(data)
    return split_by_source(samples, group_sources(samples), seed=1, test=0.3, val=0.3)


@pytest.fixture(scope="session")
def split_file(split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("split") / "split.json"
    write_split(path, split)
    return path
