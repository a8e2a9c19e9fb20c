"""Engines that were built on this machine, kept for the next start.

An engine is native code, so the cache holds only what this machine built, in a folder that nobody
else may write to. One that does not fit, or is damaged, is built again and never tried.
"""

import contextlib
import hashlib
import json
import logging
import os
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from stripscan.contract.errors import ConfigError, StoreError
from stripscan.contract.files import write_file

FOLDER_VARIABLE: Final = "STRIPSCAN_CACHE"
"""Names the folder of the cache, in place of ``$XDG_CACHE_HOME/stripscan``."""

_OWNER_ONLY: Final = 0o700

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKey:
    """Everything that an engine depends on.

    Attributes:
        model_sha256: sha256 of the ONNX file.
        gpu: Name of the GPU.
        compute_capability: Its compute capability.
        driver: Versions of the driver.
        tensorrt: Version of TensorRT.
        options: The options of the build, as text.
    """

    model_sha256: str
    gpu: str
    compute_capability: str
    driver: str
    tensorrt: str
    options: str

    @property
    def name(self) -> str:
        """Name for a file: a part of the model's hash, a part of the key's."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return f"{self.model_sha256[:16]}-{digest[:16]}"

    def outlives(self, other: "EngineKey") -> bool:
        """Whether this machine will not ask for ``other`` any more, now that it asks for this."""
        same = (self.model_sha256, self.gpu) == (other.model_sha256, other.gpu)
        return same and (self.driver, self.tensorrt) != (other.driver, other.tensorrt)


def cache_folder() -> Path:
    """Return the folder for engines: ``$STRIPSCAN_CACHE``, else the user's cache folder.

    Raises:
        ConfigError: There is no such variable and no home either.
    """
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    if user := os.environ.get("XDG_CACHE_HOME"):
        return Path(user) / "stripscan"
    try:
        return Path.home() / ".cache" / "stripscan"
    except RuntimeError as error:
        raise ConfigError(
            f"there is no home folder to keep engines in: name a folder in {FOLDER_VARIABLE}"
        ) from error


class EngineCache:
    """Engines in a folder, each with a file beside it that says what it is and its sha256.

    Args:
        folder: Made, for the owner alone, where it is missing.

    Raises:
        StoreError: It cannot be made.
        ConfigError: Others may write to it.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
            self.folder = folder.resolve(strict=True)
        except OSError as error:
            raise StoreError(
                f"{folder}: cannot be made ({error.strerror or error}): name a folder that may be "
                f"written to in {FOLDER_VARIABLE}"
            ) from error
        _check_owner(self.folder)

    def engine(self, key: EngineKey, build: Callable[[], bytes]) -> bytes:
        """Return the engine of a key, built where it is not there or not whole.

        Args:
            key: What it depends on.
            build: Builds it; not called where it is there.
        """
        plan = self._read(key)
        if plan is not None:
            logger.info("engine from the cache", extra={"file": str(self._plan(key))})
            return plan
        plan = build()
        try:
            self._write(key, plan)
        except (OSError, StoreError) as error:  # it runs, and is built again
            logger.warning("engine is not kept: %s", error)
        return plan

    def _write(self, key: EngineKey, plan: bytes) -> None:
        write_file(self._plan(key), plan)
        record = {"key": asdict(key), "sha256": hashlib.sha256(plan).hexdigest()}
        write_file(self._record(key), json.dumps(record, indent=1).encode())
        self._prune(key)

    def _plan(self, key: EngineKey) -> Path:
        return self.folder / f"{key.name}.engine"

    def _record(self, key: EngineKey) -> Path:
        return self.folder / f"{key.name}.json"

    def _read(self, key: EngineKey) -> bytes | None:
        if not self._plan(key).exists():
            return None
        try:
            record = json.loads(self._record(key).read_bytes())
            plan = self._plan(key).read_bytes()
            whole = (record["key"], record["sha256"]) == (
                asdict(key),
                hashlib.sha256(plan).hexdigest(),
            )
        except (OSError, ValueError, TypeError, KeyError) as error:
            logger.warning("cached engine is unreadable: %s", error)
            whole = False
        if not whole:
            logger.warning("cached engine is damaged and is built again: %s", self._plan(key))
            return None
        return plan

    def _forget(self, key: EngineKey) -> None:
        self._record(key).unlink(missing_ok=True)
        self._plan(key).unlink(missing_ok=True)

    def _prune(self, key: EngineKey) -> None:
        for path in self.folder.glob(f"{key.model_sha256[:16]}-*.json"):
            # One that cannot be read is no reason to fail: the engine that is wanted is there.
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                other = EngineKey(**json.loads(path.read_bytes())["key"])
                if key.outlives(other) and other.name == path.stem:
                    self._forget(other)
                    logger.info("removed an engine of an older driver or TensorRT: %s", path.stem)


def _check_owner(folder: Path) -> None:
    """Check that only this user and root can put files into a folder, or swap it for another."""
    own = folder.stat()
    if own.st_uid not in {0, os.geteuid()} or own.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(
            f"{folder}: others may write to it (mode {stat.filemode(own.st_mode)}, owner "
            f"{own.st_uid}), and an engine in it is run as native code: chown it to the user of "
            f"stripscan and 'chmod 700' it, or name another in {FOLDER_VARIABLE}"
        )
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise ConfigError(
                f"{folder}: everyone may write to {parent} and so replace it: 'chmod o-w' that, "
                f"or name another folder in {FOLDER_VARIABLE}"
            )
