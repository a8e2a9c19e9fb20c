from pathlib import Path

import pytest

pytest.importorskip("torch")

from stripscan.contract.errors import ConfigError
from stripscan.train.run_folder import (
    CONFIG,
    RECORD,
    LoggerKind,
    RunRecord,
    begin,
    config_digest,
    digest_of,
    read_config,
    read_record,
    recorded_config,
)
from unit.train.train_samples import draw_tiles, tiny_config

pytestmark = pytest.mark.train


@pytest.fixture
def record(tmp_path: Path) -> RunRecord:
    made = RunRecord(
        data=tmp_path / "data",
        data_digest="0" * 16,
        config_digest=config_digest(tiny_config()),
        processes=2,
        loggers=(LoggerKind.TENSORBOARD,),
    )
    begin(tmp_path, tiny_config(), made)
    return made


def test_a_run_is_read_as_it_was_written(tmp_path: Path, record: RunRecord) -> None:
    assert read_record(tmp_path) == record
    assert recorded_config(tmp_path, record) == tiny_config()
    assert not read_record(tmp_path).finished


def test_another_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"holds no run that can be resumed: there is no run\.json"
    ):
        read_record(tmp_path)


def test_a_damaged_record_is_refused(tmp_path: Path, record: RunRecord) -> None:
    (tmp_path / RECORD).write_text(record.model_dump_json()[:-5])
    with pytest.raises(ConfigError, match=r"run\.json: this is no record of a run"):
        read_record(tmp_path)


def test_a_changed_configuration_is_refused(tmp_path: Path, record: RunRecord) -> None:
    (tmp_path / CONFIG).write_text(tiny_config(epochs=3).model_dump_json())
    with pytest.raises(ConfigError, match=r"config\.json was changed after the run began"):
        recorded_config(tmp_path, record)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Invalid JSON"),
        ('{"recipe": "tiny", "model": {"kind": "compact"}, "epoch": 3}', "epoch: Extra inputs"),
        ('{"recipe": "tiny", "model": {"kind": "compact"}, "epochs": 0}', "epochs: .*greater"),
    ],
)
def test_a_foreign_configuration_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=rf"mine\.json: this is no configuration.*{message}"):
        read_config(path)


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json: cannot be read"):
        read_config(tmp_path / "none.json")


def test_the_digest_sees_labels_and_images(tmp_path: Path) -> None:
    samples = draw_tiles(tmp_path / "tiles", 3)
    before = digest_of(samples)
    assert digest_of(samples) == before
    assert digest_of(samples[:2]) != before
    label = samples[1].label
    assert label is not None
    label.write_bytes(label.read_bytes() + b"0")
    changed = digest_of(samples)
    assert changed != before
    samples[1].image.write_bytes(samples[0].image.read_bytes())
    assert digest_of(samples) not in (before, changed)
