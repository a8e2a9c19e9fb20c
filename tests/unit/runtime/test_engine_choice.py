from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from stripscan.contract.bundle import Bundle, open_bundle, write_bundle
from stripscan.contract.errors import BundleError, ConfigError, EngineError, MissingPartError
from stripscan.contract.manifest import VariantDraft
from stripscan.runtime.daemon import default_bundle_path
from stripscan.runtime.engines.choice import (
    EngineChoice,
    choose_variant,
    engine_choice,
    open_engine,
)
from unit.contract.bundle_samples import FILES, draft

FORMS = {
    "full": ("onnx fp32", "onnx fp16", "onnx int8 cpu", "onnx int8 gpu", "openvino fp32"),
    "plain": ("onnx fp32",),
    "half": ("onnx fp16",),
    "cpu only": ("onnx int8 cpu",),
}


def bundle_of(folder: Path, forms: str) -> Bundle:
    """Return a bundle with variants whose files say in their names what they are."""
    variants = []
    for form in FORMS[forms]:
        engine, precision, *device = form.split()
        variants.append(
            VariantDraft(
                engine=engine,
                precision=precision,
                runs_on=device[0] if device else "any",
                file=form.replace(" ", "-"),
                batch="dynamic",
                parity=None,
            )
        )
    files = FILES | {variant.file: b"no model" for variant in variants}
    return write_bundle(folder / forms, draft(variants=tuple(variants)), files)


@pytest.mark.parametrize(
    ("forms", "engine", "precision", "taken"),
    [
        ("full", "onnx", None, "onnx-fp32"),
        ("full", "onnx", "int8", "onnx-int8-cpu"),
        ("full", "onnx-cuda", None, "onnx-fp16"),
        ("full", "onnx-tensorrt", "int8", "onnx-int8-gpu"),
        ("full", "tensorrt", "int8", "onnx-int8-gpu"),
        ("full", "triton", "fp32", "onnx-fp32"),
        ("full", "openvino", None, "openvino-fp32"),
        ("full", "openvino", "fp16", "onnx-fp16"),
        ("full", "openvino", "int8", "onnx-int8-cpu"),
        ("plain", "tensorrt", None, "onnx-fp32"),
        ("half", "onnx", None, "onnx-fp16"),
        ("cpu only", "onnx", None, "onnx-int8-cpu"),
    ],
)
def test_an_engine_takes_the_variant_made_for_it(
    tmp_path: Path, forms: str, engine: str, precision: str | None, taken: str
) -> None:
    choice = EngineChoice(engine=engine, precision=precision)
    assert choose_variant(bundle_of(tmp_path, forms), choice).file == taken


@pytest.mark.parametrize(
    ("forms", "engine", "precision"),
    [("plain", "onnx", "int8"), ("cpu only", "tensorrt", None), ("half", "triton", "fp32")],
)
def test_what_a_bundle_lacks_is_told_with_what_it_has(
    tmp_path: Path, forms: str, engine: str, precision: str | None
) -> None:
    has = FORMS[forms][0].split()[1]
    with pytest.raises(BundleError, match=rf"for the engine {engine}, but onnx {has} "):
        choose_variant(bundle_of(tmp_path, forms), EngineChoice(engine=engine, precision=precision))


def test_words_of_the_command_line() -> None:
    assert engine_choice(None, None) == EngineChoice()
    assert engine_choice("openvino", "fp16") == EngineChoice(engine="openvino", precision="fp16")


@pytest.mark.parametrize(
    ("engine", "precision", "said"),
    [
        ("onyx", None, r"--engine onyx: unknown; choose from onnx, .*tensorrt$"),
        ("onnx", "fp8", "--precision fp8: unknown; choose from fp32, fp16, int8"),
        ("triton", None, "--engine triton: .* station file only"),
    ],
)
def test_other_words_are_refused(engine: str, precision: str | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        engine_choice(engine, precision)


def test_the_default_bundle_runs_and_the_engine_can_be_closed() -> None:
    bundle = open_bundle(default_bundle_path())
    with closing(open_engine(bundle)) as engine:
        mask, score = engine.infer(np.zeros((1, 64, 64), np.uint8))
    assert mask.shape == score.shape == (1, 64, 64)
    with pytest.raises(EngineError):
        engine.infer(np.zeros((40, 256, 256), np.uint8))


@pytest.mark.parametrize("engine", ["tensorrt", "onnx-cuda"])
def test_without_a_gpu_an_engine_for_gpus_refuses(engine: str) -> None:
    from stripscan.runtime.engines.tensorrt_parts import tensorrt_problem

    if tensorrt_problem() is None:
        pytest.skip("this machine has a GPU with TensorRT")
    with pytest.raises((MissingPartError, EngineError)) as caught:
        open_engine(open_bundle(default_bundle_path()), EngineChoice(engine=engine))
    assert caught.value.exit_code == 3
