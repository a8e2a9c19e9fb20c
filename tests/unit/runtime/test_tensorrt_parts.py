import ctypes
import sys

import pytest

from stripscan.contract.errors import MissingPartError
from stripscan.runtime.engines.tensorrt_parts import require_tensorrt, tensorrt_problem
from unit.runtime.fake_cuda import Gpu, install_driver_library
from unit.runtime.fake_tensorrt import Installation, install


def driver_is_installed() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def test_a_whole_machine_has_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Installation())
    assert tensorrt_problem() is None
    require_tensorrt()


@pytest.mark.parametrize(
    ("gpu", "said"),
    [
        (None, "the NVIDIA driver (libcuda.so.1; install"),
        ({"count": 0}, "an NVIDIA GPU (the driver shows none"),
        ({"count": 0, "init_status": 100}, "an NVIDIA GPU (the driver shows none"),
        ({"count": 0, "init_status": 803}, "a working NVIDIA driver (CUDA error 803"),
    ],
)
def test_no_device_is_said_before_tensorrt_is_touched(
    gpu: dict[str, int] | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Installation())
    found = None if gpu is None else Gpu()
    for name, value in (gpu or {}).items():
        setattr(found, name, value)
    install_driver_library(monkeypatch, found)
    # A module that breaks on the first look at it: neither package may be imported.
    monkeypatch.setattr(sys.modules["tensorrt"], "__version__", None)
    problem = tensorrt_problem()
    assert problem is not None
    assert problem.startswith(said)
    assert ";" not in problem.partition(")")[2], "only the one part is missing"


def test_an_old_tensorrt_is_named_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Installation(version="8.6.1"))
    assert tensorrt_problem() == "TensorRT 10 or newer (8.6.1 is installed)"


def test_a_package_that_cannot_be_imported_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Installation())
    monkeypatch.delattr(sys.modules["pycuda"], "driver")
    monkeypatch.delitem(sys.modules, "pycuda.driver")
    problem = tensorrt_problem()
    assert problem is not None
    assert problem.startswith("a working pycuda.driver (its import says: ")


@pytest.mark.skipif(driver_is_installed(), reason="this machine has an NVIDIA driver")
def test_a_machine_without_anything_says_all_that_is_missing() -> None:
    with pytest.raises(MissingPartError) as caught:
        require_tensorrt()
    assert caught.value.exit_code == 3
    message = str(caught.value)
    assert "the NVIDIA driver (libcuda.so.1" in message
    for package in ("tensorrt", "pycuda"):
        if package not in sys.modules:
            assert f"the Python package {package} (pip install 'stripscan[gpu]'" in message
    assert message.endswith("'stripscan run' builds the engine from the bundle")
