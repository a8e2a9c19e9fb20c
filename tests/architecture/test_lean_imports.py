"""The lean install runs without torch: every one of its modules imports with torch blocked."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAN = ROOT / "runtime" / "stripscan"

PROGRAM = """
import importlib, sys

HEAVY = {
    "albumentations", "lightning", "matplotlib", "mlflow", "onnx", "onnxscript", "optuna",
    "pytorch_lightning", "ray", "safetensors", "segmentation_models_pytorch", "tensorboard",
    "timm", "torch", "torchvision",
    "openvino", "pycuda", "tensorrt",  # of the extras openvino and gpu, the same
    "gi",  # of the extra camera, imported when a camera is looked for
    "grpc", "tritonclient",  # of the extra triton, imported when its engine is made
    "paho", "pymodbus",  # of the extras mqtt and modbus, imported when somebody is told
    "argon2", "fastapi", "uvicorn",  # of the extra web, imported when a page is served
}

class Blocker:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise ImportError(f"{name} is not in the lean install")

sys.meta_path.insert(0, Blocker)
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(f"{name}: {error}")
"""


def lean_modules() -> list[str]:
    relative = [path.relative_to(LEAN.parent).with_suffix("") for path in LEAN.rglob("*.py")]
    # The page itself is what the extra web brings; its commands are in the lean install.
    relative = [path for path in relative if path.parts[1:3] != ("runtime", "web")]
    # So are the modules that talk to a broker and to a PLC.
    bound = {"stripscan/runtime/sinks/mqtt", "stripscan/runtime/plc/server"}
    relative = [path for path in relative if path.as_posix() not in bound]
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in relative)


def failures_of(modules: list[str]) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, *modules], capture_output=True, text=True, check=True
    )
    return answer.stdout


def test_every_lean_module_imports_without_torch() -> None:
    modules = lean_modules()
    assert "stripscan.contract.graph" in modules
    assert failures_of(modules) == ""


@pytest.mark.train
def test_the_guard_sees_a_module_that_needs_torch() -> None:
    assert "not in the lean install" in failures_of(["stripscan.train.losses"])
