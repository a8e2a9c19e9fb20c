"""Triton Inference Server: one server with a GPU runs the model of many stations."""

import logging
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stripscan.contract.bundle import Bundle
from stripscan.contract.errors import BundleError, EngineError
from stripscan.contract.graph import IMAGE, MASK, SCORE
from stripscan.contract.manifest import Variant
from stripscan.contract.serving import BUNDLE_KEY, MODEL_KEY, served_name
from stripscan.runtime.engines.base import Pixels
from stripscan.runtime.engines.triton_wire import Connection, ServerGone, TritonServer

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 5.0
_PAUSE_S: Final = 0.05
"""Before the second try; gRPC needs a moment to see that a connection is broken."""

_UINT8: Final = "UINT8"
_CONTRACT: Final = dict.fromkeys((IMAGE, MASK, SCORE), f"TYPE_{_UINT8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """What the server said of the model: most tiles a call; their sides in px, -1 for any."""

    max_batch: int
    sides_px: tuple[int, ...]
    version: str


class TritonEngine:
    """Runs a variant of a bundle on a server, and only on one that has the very same file.

    When connecting, and after every failure, the model must be ready and carry the digest of
    this bundle. The model's name holds the hash of its file, so no call can be answered
    by another one.

    Args:
        bundle: The bundle of this station.
        variant: Which of its ONNX files the server runs.
        server: Where the server is.

    Raises:
        MissingPartError: tritonclient is not installed.
        ConfigError: A certificate or key cannot be read.
        EngineError: The server cannot be reached, is not ready, or lacks the model.
        BundleError: The server's model is of another bundle, or breaks the contract of the graph.
    """

    def __init__(self, bundle: Bundle, variant: Variant, server: TritonServer) -> None:
        self._bundle, self._variant, self._server = bundle, variant, server
        self._model = server.model or served_name(bundle, variant)
        self._connection = Connection(server)
        self._pb = self._connection.messages
        try:
            self._served = self._verify(time.monotonic() + CONNECT_TIMEOUT_S)
        except BaseException:
            self.close()
            raise
        self._doubtful = False
        logger.info("connected to Triton", extra={"address": server.address, "model": self._model})

    @property
    def description(self) -> str:
        """Server, version, address and model."""
        return f"Triton {self._served.version} at {self._server.address}, model {self._model}"

    def infer(self, tiles: Pixels) -> tuple[Pixels, Pixels]:
        """Return masks and scores; see ``Engine.infer``.

        More tiles than the server takes at once go in several calls, each with its own deadline.
        A call that meets a broken connection is tried once more within its deadline.
        """
        deadline_s = self._deadline_s()
        if self._doubtful:
            self._served = self._verify(deadline_s)
        self._check_shape(tiles)
        mask, score = np.empty_like(tiles), np.empty_like(tiles)
        most = self._served.max_batch
        for first in range(0, len(tiles), most):
            part = slice(first, first + most)
            mask[part], score[part] = self._infer(tiles[part], deadline_s)
            deadline_s = self._deadline_s()
        return mask, score

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _deadline_s(self) -> float:
        return time.monotonic() + self._server.timeout_s

    def _infer(self, tiles: Pixels, deadline_s: float) -> tuple[Pixels, Pixels]:
        self._doubtful = True
        try:
            answer = self._ask(tiles, deadline_s)
        except ServerGone as error:
            logger.warning("Triton failed, trying once more: %s", error)
            time.sleep(_PAUSE_S)
            self._served = self._verify(deadline_s)
            answer = self._ask(tiles, deadline_s)
        self._doubtful = False
        return answer

    def _ask(self, tiles: Pixels, deadline_s: float) -> tuple[Pixels, Pixels]:
        left_s = deadline_s - time.monotonic()
        request = self._pb.ModelInferRequest(
            model_name=self._model,
            inputs=[{"name": IMAGE, "datatype": _UINT8, "shape": tiles.shape}],
            outputs=[{"name": MASK}, {"name": SCORE}],
            raw_input_contents=[tiles.tobytes()],
        )
        # The server drops it from its queue by then, instead of working for nobody.
        request.parameters["timeout"].int64_param = max(1, int(left_s * 1e6))
        response = self._connection.call("ModelInfer", request, timeout_s=left_s)
        return self._outputs(response, tiles.shape)

    def _outputs(self, response: Any, shape: tuple[int, ...]) -> tuple[Pixels, Pixels]:
        pixels = {}
        for output, raw in zip(response.outputs, response.raw_output_contents, strict=False):
            told = output.datatype, tuple(output.shape), len(raw)
            if told == (_UINT8, shape, int(np.prod(shape))):
                pixels[output.name] = np.frombuffer(raw, np.uint8).reshape(shape)
        if not {MASK, SCORE} <= set(pixels):
            raise EngineError(
                f"Triton at {self._server.address}: the answer of {self._model} to tiles of "
                f"{shape} has no mask and score of the same size: see the log of the server"
            )
        return pixels[MASK], pixels[SCORE]

    def _check_shape(self, tiles: Pixels) -> None:
        sides = tiles.shape[1:]
        fits = len(sides) == 2 and all(
            taken in (-1, side) for taken, side in zip(self._served.sides_px, sides, strict=True)
        )
        if not fits or tiles.dtype != np.uint8:
            taken = " x ".join("any" if n == -1 else str(n) for n in self._served.sides_px)
            raise EngineError(
                f"Triton at {self._server.address}: {self._model} takes uint8 tiles of {taken} px, "
                f"not {tiles.dtype} of {tiles.shape}: set tile_px to the server's, or export the "
                "model repository for any size"
            )

    def _verify(self, deadline_s: float) -> _Served:
        """Return what the server says of the model, once it is seen to be the right one."""

        def call(method: str, request: Any) -> Any:
            return self._connection.call(method, request, timeout_s=deadline_s - time.monotonic())

        address, pb = self._server.address, self._pb
        if not call("ServerLive", pb.ServerLiveRequest()).live:
            raise ServerGone(f"Triton at {address} is not live: see the log of the server")
        if not call("ModelReady", pb.ModelReadyRequest(name=self._model)).ready:
            # Another model that failed to load makes the server unready, and is none of ours.
            if not call("ServerReady", pb.ServerReadyRequest()).ready:
                raise ServerGone(
                    f"Triton at {address} is not ready, it loads models or failed to load one: "
                    "wait, or see the log of the server"
                )
            raise EngineError(
                f"Triton at {address} does not serve {self._model}: write its model repository "
                "with 'stripscan export --to triton' from the bundle of this station, and restart "
                "the server"
            )
        config = call("ModelConfig", pb.ModelConfigRequest(name=self._model)).config
        self._check_identity(config)
        sides_px = self._check_contract(config)
        version = call("ServerMetadata", pb.ServerMetadataRequest()).version
        return _Served(max_batch=config.max_batch_size, sides_px=sides_px, version=version)

    def _check_identity(self, config: Any) -> None:
        wanted = {BUNDLE_KEY: self._bundle.digest, MODEL_KEY: self._variant.sha256}
        for key, digest in wanted.items():
            said = config.parameters[key].string_value if key in config.parameters else "nothing"
            if said != digest:
                raise BundleError(
                    f"Triton at {self._server.address}: {self._model} has {said[:12]} as {key}, "
                    f"{self._bundle.path} has {digest[:12]}: write the model repository from this "
                    "bundle and restart the server, or give the station the server's bundle"
                )

    def _check_contract(self, config: Any) -> tuple[int, ...]:
        """Return the sides of the tiles that are taken."""
        tensors = [*config.input, *config.output]
        kind = self._connection.config_messages.DataType
        found = {tensor.name: kind.Name(tensor.data_type) for tensor in tensors}
        sides = {tuple(tensor.dims) for tensor in tensors}
        sides_px = next(iter(sides), ())
        if found != _CONTRACT or len(sides) > 1 or len(sides_px) != 2 or config.max_batch_size < 1:
            raise BundleError(
                f"Triton at {self._server.address}: {self._model} takes and gives {found} with "
                f"{sorted(sides)} px, batches of {config.max_batch_size}; stripscan needs "
                f"{_CONTRACT} with equal sides, and batches: write the model repository anew with "
                "'stripscan export --to triton'"
            )
        return sides_px
