"""What is called of TensorRT is there in versions 10 and 11, with these arguments and types.

TensorRT does not run here; its types do. The check is itself checked: a call that was removed is
put into a copy of our modules, and has to be found.
"""

import ast
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from architecture.tensorrt_stubs import (
    CACHE,
    ROOT,
    VERSIONS,
    UnreachableError,
    lean_runtime,
    stubs,
)
from unit.runtime.fake_tensorrt import Installation, tensorrt_module

ENGINES = ROOT / "runtime" / "stripscan" / "runtime" / "engines"
MODULES = sorted(ENGINES.glob("tensorrt*.py"))

CONFIG = """
[mypy]
strict = True
explicit_package_bases = True
namespace_packages = True
mypy_path = {runtime}:{stubs}
follow_imports = silent
warn_unused_ignores = False
[mypy-pycuda.*]
ignore_missing_imports = True
[mypy-tensorrt.*]
ignore_errors = True
"""


@dataclass(frozen=True)
class Plant:
    """A line of ours, what is put in its place, and what mypy must say of it."""

    module: str
    ours: str
    planted: str
    said: str
    gone_in: str = "10"


PLANTS = (
    Plant("tensorrt", "execute_async_v3(", "execute_async_v2([], ", '"execute_async_v2"'),
    Plant("tensorrt", "num_io_tensors", "num_bindings", '"num_bindings"'),
    Plant("tensorrt", "set_tensor_address(name, ", "set_tensor_address(", "Missing positional"),
    Plant("tensorrt", "device_memory_size_v2", "device_memory_size", '"device_memory_size"', "11"),
    Plant("tensorrt_build", "BuilderFlag.GPU_FALLBACK", "BuilderFlag.FP16", '"FP16"', "11"),
    Plant("tensorrt_build", "BuilderFlag.GPU_FALLBACK", "BuilderFlag.INT8", '"INT8"', "11"),
    Plant("tensorrt_build", "Flag.STRONGLY_TYPED", "Flag.EXPLICIT_BATCH", '"EXPLICIT_BATCH"', "11"),
    Plant(
        "tensorrt_build",
        "config.builder_optimization_level =",
        "config.int8_calibrator =",
        '"int8_calibrator"',
        "11",
    ),
    Plant("tensorrt_build", "parser.parse(", "parser.supports_model(", '"supports_model"', "11"),
    Plant("tensorrt_build", ".num_DLA_cores", ".max_batch_size", '"max_batch_size"'),
)


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def types(version: str) -> Path:
    try:
        return stubs(version)
    except UnreachableError as error:
        pytest.skip(f"the bindings of TensorRT {version} are not to be had: {error}")


@pytest.fixture(scope="module")
def errors(version: str, types: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return what mypy says of our modules and of copies with something planted, by line."""
    folder = tmp_path_factory.mktemp("planted")
    config = folder / "mypy.ini"
    config.write_text(CONFIG.format(runtime=ROOT / "runtime", stubs=types), "utf-8")
    copies = [write_copy(folder, number, plant) for number, plant in enumerate(PLANTS)]
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context"),
            *("--config-file", config, "--cache-dir", CACHE / f"mypy-{version}"),
            *MODULES,
            *copies,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode in {0, 1}, answer.stdout + answer.stderr
    return [line for line in answer.stdout.splitlines() if " error: " in line]


def types_of(folder: Path) -> dict[str, set[str]]:
    """Return the names of each class of a folder of types."""
    tree = ast.parse((folder / "tensorrt" / "tensorrt.pyi").read_text("utf-8"))
    return {
        node.name: {
            part.target.id if isinstance(part, ast.AnnAssign) else part.name
            for part in node.body
            if (isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name))
            or isinstance(part, ast.FunctionDef | ast.ClassDef)
        }
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


def write_copy(folder: Path, number: int, plant: Plant) -> Path:
    text = (ENGINES / f"{plant.module}.py").read_text("utf-8")
    assert plant.ours in text
    path = folder / f"planted_{number}.py"
    path.write_text(text.replace(plant.ours, plant.planted), "utf-8")
    return path


def test_our_calls_are_there(errors: list[str]) -> None:
    assert [line for line in errors if "planted_" not in line.partition(":")[0]] == []


@pytest.mark.parametrize("number", range(len(PLANTS)), ids=lambda n: PLANTS[n].planted.strip(".( "))
def test_a_removed_call_is_found(number: int, version: str, errors: list[str]) -> None:
    plant = PLANTS[number]
    said = [line for line in errors if f"planted_{number}.py" in line and plant.said in line]
    is_gone = int(version.partition(".")[0]) >= int(plant.gone_in)
    assert bool(said) == is_gone


def test_the_fake_of_the_tests_has_nothing_that_the_real_one_has_not(
    version: str, types: Path
) -> None:
    real = types_of(types)
    fake = tensorrt_module(Installation(version=version))
    invented = {
        f"{name}.{attribute}"
        for name, kind in vars(fake).items()
        if isinstance(kind, type)
        for attribute in vars(kind)
        if not attribute.startswith("_") and attribute not in real[name]
    }
    assert invented == set()


def test_the_lean_runtime_is_imported_and_has_what_runs_an_engine() -> None:
    version = list(VERSIONS)[-1]
    try:
        folder = lean_runtime(version)
    except UnreachableError as error:
        pytest.skip(f"the lean runtime of TensorRT {version} is not to be had: {error}")
    program = """if True:
        import tensorrt_lean_bindings as trt
        for call in CALLS:
            kind, _, name = call.partition(".")
            assert hasattr(getattr(trt, kind), name), call
        assert not hasattr(trt, "Builder")
        print(trt.__version__)
    """
    calls = [
        *("Runtime.deserialize_cuda_engine", "ICudaEngine.create_execution_context"),
        *("ICudaEngine.get_tensor_profile_shape", "ICudaEngine.device_memory_size_v2"),
        *("IExecutionContext.set_input_shape", "IExecutionContext.set_tensor_address"),
        *("IExecutionContext.infer_shapes", "IExecutionContext.execute_async_v3"),
    ]
    answer = subprocess.run(
        [sys.executable, "-c", f"CALLS = {calls}\n{program}"],
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == version
