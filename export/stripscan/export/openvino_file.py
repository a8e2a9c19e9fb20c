"""An ONNX model in OpenVINO's own format.

OpenVINO reads ONNX as well, and computes the same from both. Its own format is smaller with
half-precision weights, and can be given to its other tools.
"""

import tempfile
from pathlib import Path

import onnx

from stripscan.contract.errors import EngineError
from stripscan.runtime.engines.openvino import load_openvino


def to_openvino(model: onnx.ModelProto, *, fp16_weights: bool = False) -> tuple[bytes, bytes]:
    """Return a model as OpenVINO's ``.xml`` and ``.bin``; the same model gives the same bytes.

    Args:
        model: An ONNX model in one file.
        fp16_weights: Whether to keep weights in half precision. A CPU computes in single
            precision all the same.

    Raises:
        MissingPartError: OpenVINO is not installed.
        EngineError: OpenVINO cannot read the model.
    """
    openvino = load_openvino("--to openvino")
    try:
        graph = openvino.Core().read_model(model.SerializeToString())
    except Exception as error:  # openvino raises RuntimeError and others, all undocumented
        raise EngineError(f"OpenVINO cannot read the ONNX model: {error}") from error
    for index, node in enumerate(graph.get_ordered_ops()):
        if node.get_friendly_name() == node.get_name():  # made up, from a counter of the process
            node.set_friendly_name(f"{node.get_type_name()}_{index}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.xml"
        openvino.save_model(graph, str(file), compress_to_fp16=fp16_weights)
        return file.read_bytes(), file.with_suffix(".bin").read_bytes()
