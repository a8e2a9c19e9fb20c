"""A checkpoint leaves as files for every engine, or is refused, from one command."""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from integration.cli.program import run
from stripscan.contract.bundle import open_bundle
from stripscan.runtime.engines.choice import EngineChoice, open_engine
from stripscan.runtime.engines.tensorrt_parts import tensorrt_problem
from stripscan.runtime.golden import replay
from stripscan.train.checkpoint import Checkpoint, model_state, save_checkpoint
from unit.export.export_samples import CLASSES, THRESHOLDS, lively_graph
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.export

SMALL = ("--tile", "64", "--batch", "4")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "checkpoint.safetensors"
    trained = Checkpoint(
        config=tiny_config(),
        state=model_state(lively_graph().model),
        thresholds=dict(zip(CLASSES, THRESHOLDS, strict=True)),
        facts={},
    )
    save_checkpoint(trained, path)
    return path


def test_one_command_makes_files_for_cpus_gpus_and_a_server(
    checkpoint: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tritonclient")
    out = tmp_path / "mill.zip"
    done = run(
        "export",
        checkpoint,
        "--out",
        out,
        "--to",
        "onnx,openvino,triton",
        "--fixed",
        "--tile",
        "64,96",
        "--batch",
        "4",
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "model.onnx" in done.stdout
    assert "model.xml" in done.stdout

    bundle = open_bundle(out)
    assert [v.engine for v in bundle.manifest.variants] == ["onnx", "openvino"]
    assert all(v.parity is not None and v.parity.passed for v in bundle.manifest.variants)
    for engine in ("onnx", "openvino"):
        opened = open_engine(bundle, EngineChoice(engine=engine))
        assert all(frame.passed for frame in replay(opened, bundle))

    assert bundle.manifest.input.tile_px == 64
    fixed = sorted(path.name for path in (tmp_path / "mill-onnx").iterdir())
    assert fixed == ["model.4x64x64.onnx", "model.4x96x96.onnx"]

    (config,) = (tmp_path / "mill-triton").glob("*/config.pbtxt")
    assert "max_batch_size: 4" in config.read_text()


def test_without_a_gpu_the_bundle_is_there_and_the_engine_is_not(
    checkpoint: Path, tmp_path: Path
) -> None:
    if tensorrt_problem() is None:
        pytest.skip("this machine has a GPU with TensorRT")
    args = ("export", checkpoint, "--out", "mill", "--to", "engine", *SMALL)
    done = run(*args, cwd=tmp_path, timeout=300)
    assert done.returncode == 3
    assert "stripscan run" in done.stderr
    assert open_bundle(tmp_path / "mill").manifest.variants
    assert not (tmp_path / "mill-tensorrt").exists()


def test_int8_passes_the_gate_or_names_the_layers(checkpoint: Path, tmp_path: Path) -> None:
    args = ("export", checkpoint, "--out", "mill", "--precision", "fp32,int8", *SMALL)
    done = run(*args, cwd=tmp_path, timeout=300)
    if done.returncode:
        assert done.returncode == 1
        assert "The most sensitive are" in done.stderr
        assert not (tmp_path / "mill").exists()
        return
    bundle = open_bundle(tmp_path / "mill")
    made = {v.runs_on: v for v in bundle.manifest.variants if v.precision == "int8"}
    assert set(made) == {"cpu", "gpu"}
    assert all(v.calibration is not None and v.calibration.tiles > 60 for v in made.values())
    opened = open_engine(bundle, EngineChoice(precision="int8"))
    assert all(frame.passed for frame in replay(opened, bundle))


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--to", "coreml"), "--to coreml: unknown; choose from onnx, openvino, trt, triton"),
        (("--precision", "fp8"), "--precision fp8: unknown; choose from fp32, fp16, int8"),
        (("--tile", "100"), "--tile 100: must be a multiple of 32 px, 32 to 4096"),
        (("--tile", "64,0"), "--tile 0: must be a multiple of 32 px, 32 to 4096"),
        (("--tile", "wide"), "--tile wide: must be a multiple of 32 px, 32 to 4096"),
        (("--hardware", "all"), "--hardware all: unknown; choose from this, ampere+"),
    ],
)
def test_a_wrong_option_is_told_before_any_work(
    tmp_path: Path, option: tuple[str, str], said: str
) -> None:
    done = run("export", "none.safetensors", "--out", "mill", *option, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("precision", "said", "file"),
    [
        ("fp32", r"onnx fp32 differs from its checkpoint on \d+ tiles", "model.onnx"),
        ("int8", r"int8 for the CPU differs .* even with .* most sensitive", "model.int8-cpu.onnx"),
    ],
)
def test_a_file_that_fails_is_kept_for_a_look(
    checkpoint: Path, tmp_path: Path, precision: str, said: str, file: str
) -> None:
    from stripscan.contract.errors import ParityError
    from stripscan.export.build import Plan, build_bundle
    from stripscan.export.parity import LIMITS, Limits
    from stripscan.train.checkpoint import load_checkpoint

    strict = Limits(max_error=0.0, agreement=1.0, adversarial_agreement=1.0, iou=1.0, defects=0.0)
    before, LIMITS[precision] = LIMITS[precision], strict
    try:
        with pytest.raises(ParityError, match=said):
            build_bundle(
                load_checkpoint(checkpoint),
                tmp_path / "mill",
                name="mill",
                data=None,
                command="test",
                plan=Plan(
                    precisions=(precision,),
                    tile_px=64,
                    parity_tiles=4,
                    calibration_tiles=8,
                    keep_failing=tmp_path / "failed",
                ),
            )
    finally:
        LIMITS[precision] = before
    assert [path.name for path in (tmp_path / "failed").iterdir()] == [file]
    assert not (tmp_path / "mill").exists()
    assert (tmp_path / "failed" / file).stat().st_size > 1000
