"""A small peer of Triton Inference Server: its gRPC protocol over ONNX Runtime.

It reads a model repository as Triton does, runs the warm-up, and refuses what Triton refuses. It
has no batcher. Run it as a program to have something to kill: ``triton_server.py REPOSITORY PORT``.
"""

# ruff: noqa: N802 - the methods are named as in the protocol

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnxruntime
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc

UINT8 = model_config_pb2.DataType.Value("TYPE_UINT8")


def parse_config(path: Path) -> Any:
    """Return ``config.pbtxt`` as Triton's own message; an unknown field is an error."""
    return text_format.Parse(path.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())


class Model:
    """A folder of a model repository, loaded and warmed up."""

    def __init__(self, folder: Path) -> None:
        self.config = parse_config(folder / "config.pbtxt")
        assert self.config.name == folder.name, "Triton refuses a model of another name"
        assert self.config.backend == "onnxruntime"
        (version,) = self.config.version_policy.specific.versions
        file = folder / str(version) / self.config.default_model_filename
        self.session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        for sample in self.config.model_warmup:
            for pixels in sample.inputs.values():
                assert pixels.data_type == UINT8
                shape = (sample.batch_size, *pixels.dims)
                self.run(np.random.default_rng(0).integers(0, 256, shape, np.uint8))

    def run(self, tiles: np.ndarray) -> list[np.ndarray]:
        (image,) = self.config.input
        if not 1 <= len(tiles) <= self.config.max_batch_size:
            raise ValueError(
                f"inference request batch-size must be <= {self.config.max_batch_size} for "
                f"'{self.config.name}'"
            )
        if any(
            dim not in (-1, side) for dim, side in zip(image.dims, tiles.shape[1:], strict=True)
        ):
            raise ValueError(f"unexpected shape for input 'image': {tiles.shape}")
        names = [output.name for output in self.config.output]
        return list(self.session.run(names, {image.name: tiles}))


@dataclass
class Peer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """The service; the fields make it misbehave.

    Attributes:
        repository: Folder with a folder for each model.
        delay_s: Before every inference.
        ready: What the server says of itself.
        failures: Status codes for the next inferences, in order.
        cut: Bytes missing from every mask.
        batches: Number of tiles of every inference.
        timeouts_us: What each allowed for the queue.
    """

    repository: Path
    delay_s: float = 0.0
    ready: bool = True
    failures: list[grpc.StatusCode] = field(default_factory=list)
    cut: int = 0
    batches: list[int] = field(default_factory=list)
    timeouts_us: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.models = {f.name: Model(f) for f in sorted(self.repository.iterdir())}

    def ServerLive(self, request: Any, context: Any) -> Any:
        return service_pb2.ServerLiveResponse(live=True)

    def ServerReady(self, request: Any, context: Any) -> Any:
        return service_pb2.ServerReadyResponse(ready=self.ready)

    def ModelReady(self, request: Any, context: Any) -> Any:
        known = self.ready and request.name in self.models
        return service_pb2.ModelReadyResponse(ready=known)

    def ServerMetadata(self, request: Any, context: Any) -> Any:
        return service_pb2.ServerMetadataResponse(name="peer", version="0.0")

    def ModelConfig(self, request: Any, context: Any) -> Any:
        return service_pb2.ModelConfigResponse(config=self._model(request.name, context).config)

    def ModelInfer(self, request: Any, context: Any) -> Any:
        model = self._model(request.model_name, context)
        time.sleep(self.delay_s)
        if self.failures:
            context.abort(self.failures.pop(0), "as the test asked for")
        (image,), (raw,) = request.inputs, request.raw_input_contents
        assert image.datatype == "UINT8"
        tiles = np.frombuffer(raw, np.uint8).reshape(image.shape)
        self.batches.append(len(tiles))
        self.timeouts_us.append(request.parameters["timeout"].int64_param)
        try:
            results = model.run(tiles)
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        response = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="1")
        for output, pixels in zip(model.config.output, results, strict=True):
            response.outputs.add(name=output.name, datatype="UINT8", shape=pixels.shape)
            response.raw_output_contents.append(pixels.tobytes()[self.cut :])
        return response

    def _model(self, name: str, context: Any) -> Model:
        if name not in self.models:
            context.abort(
                grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{name}' is not found"
            )
        return self.models[name]


@contextmanager
def serving(peer: Peer, *, port: int = 0, credentials: Any = None) -> Iterator[str]:
    """Serve until the block ends, and yield the address."""
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(peer, server)
    place = f"localhost:{port}"
    bound = (
        server.add_secure_port(place, credentials)
        if credentials
        else server.add_insecure_port(place)
    )
    server.start()
    try:
        yield f"localhost:{bound}"
    finally:
        server.stop(None).wait()


if __name__ == "__main__":
    with serving(Peer(Path(sys.argv[1]), delay_s=float(sys.argv[3])), port=int(sys.argv[2])) as at:
        print(at, flush=True)
        time.sleep(600)
