import dataclasses
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from stripscan.contract.bundle import Bundle, write_bundle
from stripscan.contract.errors import EngineError, MissingPartError
from stripscan.runtime.engines.engine_cache import FOLDER_VARIABLE
from stripscan.runtime.engines.tensorrt import TensorrtEngine
from stripscan.runtime.engines.tensorrt_build import BuildOptions, Profile
from stripscan.runtime.engines.tensorrt_open import open_tensorrt
from unit.contract.bundle_samples import FILES, draft
from unit.runtime.fake_cuda import install_driver_library
from unit.runtime.fake_tensorrt import Installation, install


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Installation:
    return install(monkeypatch, Installation())


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "engines"))
    return tmp_path / "engines"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_bundle(tmp_path / "neu", draft(), FILES)


def start(bundle: Bundle, options: BuildOptions | None = None, batch: int = 4) -> TensorrtEngine:
    variant = bundle.manifest.variants[0]
    return open_tensorrt(bundle, variant, batch=batch, tile_px=64, options=options)


def test_the_first_start_builds_and_the_next_does_not(
    bundle: Bundle, engines: Path, machine: Installation
) -> None:
    for _ in range(2):
        with closing(start(bundle)) as engine:
            tiles = np.full((5, 64, 64), 39, np.uint8)
            mask, _ = engine.infer(tiles)
            assert set(mask.ravel()) == {2}
        assert machine.builds == 1
    assert {path.suffix for path in engines.iterdir()} == {".engine", ".json", ".cache"}


def test_another_gpu_driver_version_or_option_builds_its_own(
    bundle: Bundle, engines: Path, machine: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(bundle).close()
    start(bundle, batch=8).close()
    assert machine.builds == 2
    machine.gpu.name = "Other GPU"  # the fake refuses to load an engine of another GPU
    start(bundle).close()
    assert machine.builds == 3
    other = dataclasses.replace(machine, version="10.16.1.11")
    install(monkeypatch, other)
    start(bundle).close()
    assert other.builds == 4


def test_a_damaged_engine_is_never_loaded(
    bundle: Bundle, engines: Path, machine: Installation
) -> None:
    start(bundle).close()
    (plan,) = engines.glob("*.engine")
    plan.write_bytes(plan.read_bytes()[:-1])
    start(bundle).close()
    assert machine.builds == 2


def test_a_build_for_a_dla_runs_on_its_core(
    bundle: Bundle, engines: Path, machine: Installation
) -> None:
    machine.dla_cores = 2
    shape = (4, 64, 64)
    options = BuildOptions(profiles=(Profile(min=shape, opt=shape, max=shape),), dla_core=1)
    start(bundle, options).close()
    assert machine.dla_core == 1


def test_a_failed_build_leaves_nothing(
    bundle: Bundle, engines: Path, machine: Installation
) -> None:
    machine.build_fails = "out of memory"
    with pytest.raises(EngineError, match="out of memory"):
        start(bundle)
    assert list(engines.iterdir()) == []
    assert machine.gpu.contexts == []


def test_without_a_driver_it_says_so_and_makes_nothing(
    bundle: Bundle, engines: Path, machine: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_driver_library(monkeypatch, None)
    with pytest.raises(MissingPartError, match=r"the NVIDIA driver .* on its first start"):
        start(bundle)
    assert not engines.exists()
