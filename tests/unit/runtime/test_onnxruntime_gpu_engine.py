import onnxruntime
import pytest

from stripscan.contract.errors import EngineError, MissingPartError
from stripscan.runtime.engines.onnxruntime_gpu import OnnxGpuEngine, Provider
from stripscan.runtime.engines.tensorrt_parts import tensorrt_problem

pytestmark = pytest.mark.skipif(
    tensorrt_problem() is None, reason="this machine has a GPU; test_engines.py runs on it"
)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_machine_without_a_gpu_is_refused_and_never_left_to_the_cpu(
    provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    built_for_gpu = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    with pytest.raises((MissingPartError, EngineError)) as caught:
        OnnxGpuEngine(b"", provider=provider)
    assert caught.value.exit_code == 3
    told = str(caught.value)
    if built_for_gpu:
        assert "driver" in told
    else:
        assert f"a build without {provider}" in told
        assert "pip uninstall --yes onnxruntime onnxruntime-gpu" in told
        assert "onnxruntime-gpu[cuda,cudnn]" in told
    assert capsys.readouterr().out == ""  # the results of a command go there
