import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stripscan.contract.errors import ConfigError, EngineError, MissingPartError
from stripscan.runtime.engines.openvino import MAX_SIZES, OpenvinoEngine, load_openvino


def dark() -> bytes:
    pytest.importorskip("onnx")
    from unit.runtime.onnx_samples import dark_model

    return dark_model()


# Not importorskip: that would import it with its telemetry.
needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="needs the extra openvino"
)


WITHOUT_TELEMETRY = """
import sys
from stripscan.runtime.engines.openvino import load_openvino
load_openvino("engine openvino")
import openvino.tools.ovc
assert sys.modules["openvino_telemetry"] is None
print(type(openvino.tools.ovc.telemetry).__module__)
"""


@needs_openvino
def test_nothing_is_told_to_anyone_and_nothing_is_written(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_TELEMETRY],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "openvino.tools.ovc.telemetry_stub"
    assert list(tmp_path.iterdir()) == []


MISSING = """
import sys
from stripscan.contract.errors import MissingPartError
from stripscan.runtime.engines.openvino import OpenvinoEngine

class Blocker:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "openvino":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker)
try:
    OpenvinoEngine(b"")
except MissingPartError as error:
    print(error)
"""


def test_without_the_package_the_message_says_how_to_install_it() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", MISSING], capture_output=True, text=True, check=True
    )
    assert "'engine openvino' needs packages" in answer.stdout
    assert "pip install 'stripscan[openvino]'" in answer.stdout


@pytest.mark.export
@needs_openvino
@pytest.mark.parametrize("device", ["AUTO", "MULTI:CPU,GPU", "HETERO:GPU,CPU", "cpu", ""])
def test_a_device_that_would_be_chosen_for_the_user_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match="give CPU, GPU, NPU or one with its number"):
        OpenvinoEngine(dark(), device=device)


@pytest.mark.export
@needs_openvino
@pytest.mark.parametrize("device", ["GPU.7", "NPU.3", "CPU.5"])
def test_a_device_that_is_not_there_is_named_with_what_to_install(device: str) -> None:
    with pytest.raises(MissingPartError, match=rf"finds no {device} .*only CPU.*: install"):
        OpenvinoEngine(dark(), device=device)


@pytest.mark.export
@needs_openvino
def test_the_processor_computes_in_the_precision_of_the_file_on_the_threads_it_was_given() -> None:
    engine = OpenvinoEngine(dark(), threads=1)
    engine.infer(np.zeros((1, 32, 32), np.uint8))
    ((request, *_),) = engine._ready.values()
    compiled = request.get_compiled_model()
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
    precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    assert precision in {"f32", "dynamic"}  # bf16 is the default where the processor has it


@pytest.mark.export
@needs_openvino
def test_old_sizes_of_tile_are_given_up() -> None:
    engine = OpenvinoEngine(dark(), threads=1)
    for side in range(32, 32 * (MAX_SIZES + 3), 32):
        mask, _ = engine.infer(np.zeros((1, side, 32), np.uint8))
        assert mask.shape == (1, side, 32)
    assert len(engine._ready) == MAX_SIZES


@pytest.mark.export
@needs_openvino
def test_weights_that_are_cut_short_are_refused(tmp_path: Path) -> None:
    openvino = load_openvino("this test")
    file = tmp_path / "model.xml"
    openvino.save_model(openvino.Core().read_model(dark()), str(file))
    xml, weights = file.read_bytes(), file.with_suffix(".bin").read_bytes()
    assert OpenvinoEngine(xml, weights).infer(np.zeros((1, 32, 32), np.uint8))[0].max() == 2
    for spoilt in (weights[:-2], b"", None):
        with pytest.raises(EngineError, match="cannot load the model"):
            OpenvinoEngine(xml, spoilt)
