"""ONNX Runtime on the CPU.

Threads each take tiles of their own: where they share the work of an operator instead, they wait
for each other at every one, and 16 tiles of 256 px took 1.8 times as long on two busy cores.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime

from stripscan.contract.errors import BundleError, EngineError
from stripscan.contract.graph import IMAGE, MASK, SCORE
from stripscan.runtime.engines.base import Pixels

_PROVIDER = "CPUExecutionProvider"
ERRORS_ONLY = 3
"""Level of its log: it warns on stderr of what it could not make faster."""

_PIECE_PX = 2 * 256 * 256
"""Pixels in one run: few, so that what an operator leaves is still in the cache for the next."""


class OnnxEngine:
    """A session over the bytes of an ONNX file.

    Args:
        model: The file's bytes.
        threads: CPU threads; 0 takes one a core.

    Raises:
        EngineError: ONNX Runtime cannot load the model.
        BundleError: The graph's inputs or outputs are not those of the contract.
    """

    def __init__(self, model: bytes, *, threads: int = 0) -> None:
        self._threads = threads or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="onnxruntime")
        self._alone = open_session(model, threads=1)
        check_contract(self._alone)
        self._together = open_session(model, threads=self._threads) if self._threads > 1 else None

    @property
    def description(self) -> str:
        """Engine, version and provider."""
        return f"ONNX Runtime {onnxruntime.__version__}, CPU"

    def infer(self, tiles: Pixels) -> tuple[Pixels, Pixels]:
        """Return masks and scores; see ``Engine.infer``."""
        try:
            # No thread waits for another one that has the larger share of a small batch.
            share = -(-len(tiles) // self._threads)
            size = max(1, min(_PIECE_PX // max(1, tiles[:1].size), share))
            pieces = [tiles[i : i + size] for i in range(0, len(tiles), size)] or [tiles]
            if self._together and len(pieces) < self._threads:
                return _run(self._together, tiles)
            parts = list(self._pool.map(lambda piece: _run(self._alone, piece), pieces))
        except Exception as error:  # onnxruntime raises a class of its own for each status
            raise EngineError(f"ONNX Runtime failed on tiles of {tiles.shape}: {error}") from error
        masks, scores = zip(*parts, strict=True)
        return np.concatenate(masks), np.concatenate(scores)

    def close(self) -> None:
        """End its threads."""
        self._pool.shutdown()


def open_session(model: bytes, *, threads: int) -> onnxruntime.InferenceSession:
    """Return a session on the CPU.

    Raises:
        EngineError: ONNX Runtime cannot load the model.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads
    # Idle threads spin between blocks otherwise, and take the core of the acquisition.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return onnxruntime.InferenceSession(model, options, providers=[_PROVIDER])
    except Exception as error:  # see above
        raise EngineError(f"ONNX Runtime cannot load the model: {error}") from error


def _run(session: onnxruntime.InferenceSession, tiles: Pixels) -> tuple[Pixels, Pixels]:
    mask, score = session.run([MASK, SCORE], {IMAGE: tiles})
    return np.asarray(mask, np.uint8), np.asarray(score, np.uint8)


def check_contract(session: onnxruntime.InferenceSession) -> None:
    """Check the graph's inputs and outputs.

    Raises:
        BundleError: They are not those of the contract.
    """
    found = {node.name: node.type for node in [*session.get_inputs(), *session.get_outputs()]}
    wanted = dict.fromkeys((IMAGE, MASK, SCORE), "tensor(uint8)")
    if found != wanted:
        raise BundleError(
            f"the model's inputs and outputs are {found}, stripscan needs {wanted}: "
            "export it with 'stripscan export'"
        )
