import hashlib
import importlib.util
import subprocess
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
if importlib.util.find_spec("openvino") is None:  # importorskip would start its telemetry
    pytest.skip("needs the extra openvino", allow_module_level=True)

from stripscan.contract.bundle import open_bundle
from stripscan.contract.errors import EngineError
from stripscan.export.openvino_file import to_openvino
from stripscan.runtime.daemon import default_bundle_path
from stripscan.runtime.engines.onnxruntime import OnnxEngine
from stripscan.runtime.engines.openvino import OpenvinoEngine
from stripscan.simulation.tiles import sample_tile

pytestmark = pytest.mark.export


@pytest.fixture(scope="module")
def data() -> bytes:
    bundle = open_bundle(default_bundle_path())
    return bundle.read(next(v.file for v in bundle.manifest.variants if v.precision == "fp32"))


@pytest.fixture(scope="module")
def model(data: bytes) -> onnx.ModelProto:
    return onnx.load_from_string(data)


@pytest.mark.parametrize(("fp16_weights", "agreement"), [(False, 0.9999), (True, 0.999)])
def test_it_computes_what_the_onnx_file_does(
    model: onnx.ModelProto, data: bytes, fp16_weights: bool, agreement: float
) -> None:
    rng = np.random.default_rng(3)
    tiles = np.stack([sample_tile(rng, 256)[0] for _ in range(4)])
    tiles = tiles[:, 32:, :]  # sizes stay open in the file
    wanted, _ = OnnxEngine(data, threads=1).infer(tiles)
    xml, weights = to_openvino(model, fp16_weights=fp16_weights)
    mask, _ = OpenvinoEngine(xml, weights, threads=1).infer(tiles)
    assert np.mean(mask == wanted) >= agreement
    assert len(np.unique(wanted)) > 2


def test_half_precision_halves_the_weights(model: onnx.ModelProto) -> None:
    whole, half = (len(to_openvino(model, fp16_weights=half)[1]) for half in (False, True))
    assert half == pytest.approx(whole / 2, rel=0.01)


AGAIN = """
import hashlib, sys, onnx
from stripscan.export.openvino_file import to_openvino
model = onnx.load_from_string(sys.stdin.buffer.read())
to_openvino(model)  # moves the counters that OpenVINO names nodes by
print(hashlib.sha256(b"".join(to_openvino(model))).hexdigest())
"""


def test_the_same_model_gives_the_same_bytes_in_another_process(
    model: onnx.ModelProto, data: bytes
) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", AGAIN], input=data, capture_output=True, check=True
    )
    here = hashlib.sha256(b"".join(to_openvino(model))).hexdigest()
    assert answer.stdout.decode().strip() == here


def test_nothing_of_this_machine_is_in_the_file(model: onnx.ModelProto) -> None:
    xml, weights = to_openvino(model)
    for trace in (b"/tmp", b"/home", b"/root", str(default_bundle_path().parent).encode()):
        assert trace not in xml + weights


def test_a_model_that_openvino_cannot_read_is_an_engine_error(model: onnx.ModelProto) -> None:
    spoilt = onnx.ModelProto()
    spoilt.CopyFrom(model)
    spoilt.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(EngineError, match="OpenVINO cannot read the ONNX model"):
        to_openvino(spoilt)
