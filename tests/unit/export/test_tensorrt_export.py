import json
from pathlib import Path

import pytest

from stripscan.contract.errors import EngineError, MissingPartError
from stripscan.export.tensorrt import write_engines
from stripscan.runtime.engines.tensorrt_build import BuildOptions, tile_profile
from unit.runtime.fake_cuda import install_driver_library
from unit.runtime.fake_tensorrt import Installation, install

OPTIONS = BuildOptions(profiles=(tile_profile(batch=4, tile_px=256),))


def test_each_model_gives_an_engine_and_its_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Installation())
    written = write_engines({"neu.fp32": b"a", "neu.fp16": b"b"}, tmp_path / "out", OPTIONS)
    assert [path.name for path in written] == ["neu.fp32.engine", "neu.fp16.engine"]
    assert json.loads((tmp_path / "out" / "neu.fp16.layers.json").read_text())["Layers"]


def test_without_a_gpu_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Installation())
    install_driver_library(monkeypatch, None)
    with pytest.raises(MissingPartError, match="builds the engine from the bundle"):
        write_engines({"neu": b"a"}, tmp_path / "out", OPTIONS)
    assert not (tmp_path / "out").exists()


def test_a_model_that_cannot_be_built_writes_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Installation(build_fails="no kernel"))
    with pytest.raises(EngineError, match="no kernel"):
        write_engines({"neu": b"a"}, tmp_path, OPTIONS)
    assert list(tmp_path.iterdir()) == []
