"""OpenVINO on a CPU, or on one of Intel's GPUs and NPUs.

Tiles of a batch run side by side, one to a stream, on a graph whose shapes are fixed: with shapes
left open, or with a batch as one request, OpenVINO was a fifth to a third slower.
"""

import importlib
import re
import sys
from collections import OrderedDict, deque
from types import ModuleType
from typing import Any, Final

import numpy as np

from stripscan.contract.errors import (
    BundleError,
    ConfigError,
    EngineError,
    MissingPartError,
    missing_extra,
)
from stripscan.contract.graph import IMAGE, MASK, SCORE
from stripscan.runtime.engines.base import Pixels, check_tiles

EXTRA: Final = "openvino"
MAX_SIZES: Final = 4
"""Tile sizes that are kept compiled; a station has one."""

_DEVICE: Final = re.compile(r"(CPU|GPU|NPU)(\.\d+)?")
_TELEMETRY: Final = "openvino_telemetry"


def load_openvino(what: str) -> ModuleType:
    """Import OpenVINO without its telemetry, which its import alone would start.

    Args:
        what: What needs it, as the user typed it.

    Raises:
        MissingPartError: It is not installed.
    """
    modules: dict[str, Any] = sys.modules
    modules.setdefault(_TELEMETRY, None)  # None makes Python refuse the import, in this process
    try:
        return importlib.import_module("openvino")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "openvino":
            raise
        raise missing_extra(EXTRA, what) from error


class OpenvinoEngine:
    """A model compiled by OpenVINO, once for each size of tile.

    Args:
        model: Bytes of an ONNX file, or of the ``.xml`` of OpenVINO's own format.
        weights: Bytes of the ``.bin`` that belongs to the ``.xml``.
        threads: CPU threads; 0 leaves their number to OpenVINO.
        device: ``CPU``, ``GPU`` or ``NPU``, the last two with a number where there are several.

    Raises:
        MissingPartError: OpenVINO is not installed, or has no such device.
        ConfigError: The device is another word; those that choose a device by themselves are
            not taken.
        EngineError: OpenVINO cannot load the model.
        BundleError: The graph's inputs or outputs are not those of the contract.
    """

    def __init__(
        self, model: bytes, weights: bytes | None = None, *, threads: int = 0, device: str = "CPU"
    ) -> None:
        openvino = load_openvino("engine openvino")
        self._core = openvino.Core()
        self._version = str(openvino.__version__).partition("-")[0]
        self._device = device
        self._weights = weights  # the model may point into them
        _check_device(self._core, device)
        self._options = _options(device, threads)
        try:
            self._model = self._core.read_model(model, weights or b"")
        except Exception as error:  # openvino raises RuntimeError and others, all undocumented
            raise EngineError(f"OpenVINO cannot load the model: {_reason(error)}") from error
        _check_contract(self._model)
        self._ready: OrderedDict[tuple[int, int], list[Any]] = OrderedDict()

    @property
    def description(self) -> str:
        """Engine, version and device."""
        return f"OpenVINO {self._version}, {self._device}"

    def infer(self, tiles: Pixels) -> tuple[Pixels, Pixels]:
        """Return masks and scores; see ``Engine.infer``."""
        check_tiles(tiles)
        mask, score = np.empty(tiles.shape, np.uint8), np.empty(tiles.shape, np.uint8)
        try:
            requests = self._requests(tiles.shape[1], tiles.shape[2])
            # No AsyncInferQueue: with its callbacks into Python, freeing it can wait for ever.
            running: deque[tuple[int, Any]] = deque()
            for index, tile in enumerate(tiles):
                request = requests[index % len(requests)]
                if len(running) == len(requests):
                    _finish(*running.popleft(), mask, score)
                request.start_async({IMAGE: np.ascontiguousarray(tile[None])})
                running.append((index, request))
            for index, request in running:
                _finish(index, request, mask, score)
        except EngineError:
            raise
        except Exception as error:  # see above
            raise EngineError(
                f"OpenVINO failed on tiles of {tiles.shape}: {_reason(error)}"
            ) from error
        return mask, score

    def close(self) -> None:
        """Free the compiled models."""
        self._ready.clear()

    def _requests(self, height_px: int, width_px: int) -> list[Any]:
        """Return requests that run side by side, for a size of tile; compiled on its first use."""
        size = height_px, width_px
        requests = self._ready.pop(size, None)
        if requests is None:
            model = self._model.clone()
            model.reshape([1, height_px, width_px])
            compiled = self._core.compile_model(model, self._device, self._options)
            _check_in_use(compiled, self._device)
            count = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
            requests = [compiled.create_infer_request() for _ in range(count)]
            if len(self._ready) == MAX_SIZES:
                self._ready.popitem(last=False)
        self._ready[size] = requests
        return requests


def _finish(index: int, request: Any, mask: Pixels, score: Pixels) -> None:
    """Wait for a tile and copy what it gave."""
    request.wait()
    mask[index] = request.get_tensor(MASK).data[0]
    score[index] = request.get_tensor(SCORE).data[0]


def _options(device: str, threads: int) -> dict[str, object]:
    options: dict[str, object] = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        # The precision is that of the file; left to itself, OpenVINO computes in bfloat16 where
        # the processor can, and the masks would differ from machine to machine.
        "EXECUTION_MODE_HINT": "ACCURACY",
    }
    if device.startswith("CPU"):
        options["ENABLE_CPU_PINNING"] = False  # two stations would be pinned to the same cores
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
    return options


def _check_device(core: Any, device: str) -> None:
    if not _DEVICE.fullmatch(device):
        raise ConfigError(
            f"OpenVINO device {device!r}: give CPU, GPU, NPU or one with its number, like GPU.1"
        )
    there = [str(name) for name in core.available_devices]
    if not any(_is_same(device, name) for name in there):
        raise MissingPartError(
            f"OpenVINO finds no {device} on this machine, only {', '.join(there) or 'nothing'}: "
            "install Intel's driver for it (for a GPU the packages intel-opencl-icd and "
            "libze-intel-gpu1), let the user into the group render, or choose device CPU"
        )


def _check_in_use(compiled: Any, device: str) -> None:
    used = [str(name) for name in compiled.get_property("EXECUTION_DEVICES")]
    if not used or not all(_is_same(device, name) for name in used):
        raise EngineError(
            f"OpenVINO took {', '.join(used) or 'no device'} where {device} was asked"
        )


def _is_same(asked: str, found: str) -> bool:
    """Say whether a device is the one asked for; ``GPU`` is the first, however it is written."""
    return found in {asked, f"{asked}.0"} or f"{found}.0" == asked


def _check_contract(model: Any) -> None:
    ports = [*model.inputs, *model.outputs]
    found = {"/".join(sorted(p.names)): p.get_element_type().get_type_name() for p in ports}
    wanted = dict.fromkeys((IMAGE, MASK, SCORE), "u8")
    named = all(sum(name in p.names for p in ports) == 1 for name in wanted)
    if not named or list(found.values()) != list(wanted.values()):
        raise BundleError(
            f"the model's inputs and outputs are {found}, stripscan needs {wanted}: "
            "export it with 'stripscan export'"
        )


def _reason(error: Exception) -> str:
    """Return what OpenVINO says, without the places in its sources."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith("Exception from ")]
    return "; ".join(said) or type(error).__name__
