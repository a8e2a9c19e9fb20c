import dataclasses
import os
from pathlib import Path

import pytest

from stripscan.contract.errors import ConfigError, StoreError
from stripscan.runtime.engines.engine_cache import (
    FOLDER_VARIABLE,
    EngineCache,
    EngineKey,
    cache_folder,
)

KEY = EngineKey(
    model_sha256="ab" * 32,
    gpu="Orin",
    compute_capability="8.7",
    driver="CUDA 12060, 540.4.0",
    tensorrt="10.7.0",
    options="{}",
)


class Builder:
    """Builds plans that say which build they are of."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> bytes:
        self.count += 1
        return b"plan %d" % self.count


@pytest.fixture
def build() -> Builder:
    return Builder()


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines")


def changed(**fields: str) -> EngineKey:
    return dataclasses.replace(KEY, **fields)


def test_an_engine_is_built_once(cache: EngineCache, build: Builder) -> None:
    assert [cache.engine(KEY, build) for _ in range(3)] == [b"plan 1"] * 3
    again = EngineCache(cache.folder)
    assert again.engine(KEY, build) == b"plan 1"


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(EngineKey)])
def test_an_engine_of_anything_else_is_not_taken(
    field: str, cache: EngineCache, build: Builder
) -> None:
    cache.engine(KEY, build)
    assert cache.engine(changed(**{field: "cd" * 32}), build) == b"plan 2"


@pytest.mark.parametrize(
    "damage",
    [
        lambda plan, record: plan.write_bytes(b"plan 2"),
        lambda plan, record: plan.write_bytes(b""),
        lambda plan, record: record.unlink(),
        lambda plan, record: record.write_text("{"),
        lambda plan, record: record.write_text("[]"),
        lambda plan, record: record.write_text("{}"),
        lambda plan, record: record.write_text(record.read_text().replace("10.7.0", "10.8.0")),
    ],
)
def test_a_damaged_engine_is_built_again(
    damage: object, cache: EngineCache, build: Builder
) -> None:
    cache.engine(KEY, build)
    (plan,), (record,) = cache.folder.glob("*.engine"), cache.folder.glob("*.json")
    assert callable(damage)
    damage(plan, record)
    build.count = 6
    assert cache.engine(KEY, build) == b"plan 7"
    assert cache.engine(KEY, build) == b"plan 7"


def test_engines_of_an_older_driver_or_tensorrt_are_removed(
    cache: EngineCache, build: Builder
) -> None:
    kept = [changed(gpu="A2000"), changed(model_sha256="cd" * 32)]
    for key in (KEY, changed(tensorrt="10.6.0"), *kept):
        cache.engine(key, build)
    (cache.folder / f"{KEY.model_sha256[:16]}-foreign.json").write_text("not ours")
    newest = changed(driver="CUDA 13000, 580.1.0")
    cache.engine(newest, build)
    cache.engine(changed(driver=newest.driver, options="other"), build)
    names = {path.stem for path in cache.folder.glob("*.engine")}
    other = changed(driver=newest.driver, options="other")
    assert names == {key.name for key in (newest, other, *kept)}


def test_a_full_disk_does_not_cost_the_engine(
    cache: EngineCache, build: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert cache.engine(KEY, build) == b"plan 1"
    assert cache.engine(KEY, build) == b"plan 2"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o720])
def test_a_folder_that_others_may_write_to_is_refused(mode: int, tmp_path: Path) -> None:
    folder = tmp_path / "engines"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ConfigError, match=r"others may write to it .*run as native code"):
        EngineCache(folder)


def test_a_folder_that_everyone_may_replace_is_refused(tmp_path: Path) -> None:
    parent = tmp_path / "open"
    parent.mkdir()
    parent.chmod(0o777)
    with pytest.raises(ConfigError, match="everyone may write to"):
        EngineCache(parent / "engines")
    parent.chmod(0o1777)
    EngineCache(parent / "engines")


def test_a_new_folder_is_the_owners_alone(cache: EngineCache) -> None:
    assert cache.folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"file/engines: cannot be made .*STRIPSCAN_CACHE"):
        EngineCache(tmp_path / "file" / "engines")


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/mill")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert cache_folder() == Path("/home/mill/.cache/stripscan")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/mill")
    assert cache_folder() == Path("/var/cache/mill/stripscan")
    monkeypatch.setenv(FOLDER_VARIABLE, "/srv/engines")
    assert cache_folder() == Path("/srv/engines")
