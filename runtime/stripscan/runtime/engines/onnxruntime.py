"""ONNX Runtime on the CPU."""

import logging
from typing import Self

import numpy as np
import onnxruntime

from stripscan.contract.bundle import Bundle
from stripscan.contract.errors import BundleError, EngineError
from stripscan.contract.graph import IMAGE, MASK, SCORE
from stripscan.runtime.engines.base import Pixels

logger = logging.getLogger(__name__)

_PROVIDER = "CPUExecutionProvider"


class OnnxEngine:
    """A session over the bytes of an ONNX file.

    Args:
        model: The file's bytes.
        threads: Threads inside an operator; 0 takes one a core.

    Raises:
        EngineError: ONNX Runtime cannot load the model.
        BundleError: The graph's inputs or outputs are not those of the contract.
    """

    def __init__(self, model: bytes, *, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Idle threads spin between blocks otherwise, and take the core of the acquisition.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=[_PROVIDER])
        except Exception as error:  # onnxruntime raises a class of its own for each status
            raise EngineError(f"ONNX Runtime cannot load the model: {error}") from error
        _check_contract(self._session)

    @classmethod
    def from_bundle(cls, bundle: Bundle, *, threads: int = 0) -> Self:
        """Return an engine for the bundle's fp32 ONNX variant."""
        for variant in bundle.manifest.variants:
            if variant.engine == "onnx":
                logger.info("loading model", extra={"file": variant.file, "bundle": bundle.path})
                return cls(bundle.read(variant.file), threads=threads)
        raise BundleError(f"{bundle.path}: holds no ONNX model; export one with --to onnx")

    @property
    def description(self) -> str:
        """Engine, version and provider."""
        return f"ONNX Runtime {onnxruntime.__version__}, CPU"

    def infer(self, tiles: Pixels) -> tuple[Pixels, Pixels]:
        """Return masks and scores; see ``Engine.infer``."""
        try:
            mask, score = self._session.run([MASK, SCORE], {IMAGE: tiles})
        except Exception as error:  # see above
            raise EngineError(f"ONNX Runtime failed on tiles of {tiles.shape}: {error}") from error
        return np.asarray(mask, np.uint8), np.asarray(score, np.uint8)


def _check_contract(session: onnxruntime.InferenceSession) -> None:
    found = {node.name: node.type for node in [*session.get_inputs(), *session.get_outputs()]}
    wanted = dict.fromkeys((IMAGE, MASK, SCORE), "tensor(uint8)")
    if found != wanted:
        raise BundleError(
            f"the model's inputs and outputs are {found}, stripscan needs {wanted}: "
            "export it with 'stripscan export'"
        )
