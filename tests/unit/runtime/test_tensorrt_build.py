import json
from pathlib import Path

import pytest

from stripscan.contract.errors import ConfigError, EngineError, MissingPartError
from stripscan.runtime.engines.tensorrt_build import (
    BuildOptions,
    Profile,
    build_engine,
    inspect_engine,
    tile_profile,
)
from unit.runtime.fake_tensorrt import IBuilderConfig, Installation, install

PROFILE = tile_profile(batch=8, tile_px=256)
FIXED = Profile(min=(4, 256, 256), opt=(4, 256, 256), max=(4, 256, 256))


@pytest.fixture(params=["10.16.1.11", "11.4.0.106"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Installation:
    return install(monkeypatch, Installation(version=request.param))


def config_of(machine: Installation) -> IBuilderConfig:
    assert machine.config is not None
    return machine.config


def test_a_plain_build(machine: Installation) -> None:
    plan = json.loads(build_engine(b"onnx", BuildOptions(profiles=(PROFILE,))))
    assert plan["profiles"] == [[[1, 32, 32], [8, 256, 256], [8, 256, 256]]]
    config = config_of(machine)
    assert config._limits == {"WORKSPACE": 1024 * 1024**2}
    assert config.builder_optimization_level == 3
    assert config._flags == set()
    assert config.profiling_verbosity.name == "DETAILED"


def test_all_options_reach_the_builder(machine: Installation) -> None:
    machine.dla_cores = 2
    options = BuildOptions(
        profiles=(FIXED, FIXED),
        workspace_mib=256,
        optimisation_level=5,
        hardware="ampere+",
        version_compatible=True,
        dla_core=1,
    )
    plan = json.loads(build_engine(b"onnx", options))
    assert len(plan["profiles"]) == 2
    config = config_of(machine)
    assert config._limits == {"WORKSPACE": 256 * 1024**2}
    assert config.builder_optimization_level == 5
    assert config.hardware_compatibility_level.name == "AMPERE_PLUS"
    assert config._flags == {"VERSION_COMPATIBLE", "EXCLUDE_LEAN_RUNTIME", "GPU_FALLBACK"}
    assert (config.default_device_type.name, config.DLA_core) == ("DLA", 1)


def test_a_dla_that_is_not_there_is_a_missing_part(machine: Installation) -> None:
    with pytest.raises(MissingPartError, match=r"DLA core 0 is not there: TensorRT 1.* sees 0"):
        build_engine(b"onnx", BuildOptions(profiles=(FIXED,), dla_core=0))
    assert machine.builds == 0


def test_what_the_parser_refuses_is_named_by_node(machine: Installation) -> None:
    machine.parse_errors = (
        ("node_resize", "Resize", "cubic is not supported"),
        ("", "Unique", "no importer"),
    )
    said = r"node node_resize \(Resize\): cubic is not .*; node 7 \(Unique\): no importer"
    with pytest.raises(EngineError, match=said):
        build_engine(b"onnx", BuildOptions(profiles=(PROFILE,)))


def test_a_build_without_result_gives_the_reason_from_the_log(machine: Installation) -> None:
    machine.build_fails = "insufficient workspace"
    with pytest.raises(EngineError, match=r"cannot build an engine: insufficient workspace\. "):
        build_engine(b"onnx", BuildOptions(profiles=(PROFILE,)))


def test_a_refused_profile_is_an_engine_error(machine: Installation) -> None:
    machine.refused.add("add_optimization_profile")
    with pytest.raises(EngineError, match="does not take the profile"):
        build_engine(b"onnx", BuildOptions(profiles=(PROFILE,)))


def test_timings_are_kept_and_used_again(machine: Installation, tmp_path: Path) -> None:
    path = tmp_path / "timings.cache"
    for wanted in (b"+timed", b"+timed+timed"):
        build_engine(b"onnx", BuildOptions(profiles=(PROFILE,)), timing_cache=path)
        assert path.read_bytes() == wanted


def test_timings_of_another_gpu_are_replaced(machine: Installation, tmp_path: Path) -> None:
    path = tmp_path / "timings.cache"
    path.write_bytes(b"other")
    machine.timings_fit = False
    build_engine(b"onnx", BuildOptions(profiles=(PROFILE,)), timing_cache=path)
    assert path.read_bytes() == b"+timed"


def test_an_engine_is_not_lost_for_its_timings(machine: Installation, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "timings.cache"
    assert build_engine(b"onnx", BuildOptions(profiles=(PROFILE,)), timing_cache=path)


def test_the_layers_of_an_engine_are_told_as_json(machine: Installation) -> None:
    plan = build_engine(b"onnx", BuildOptions(profiles=(PROFILE,)))
    assert json.loads(inspect_engine(plan))["Layers"]
    machine.load_fails = "version mismatch"
    with pytest.raises(EngineError, match="cannot load the engine: version mismatch"):
        inspect_engine(plan)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: tile_profile(batch=0, tile_px=256), "must be at least 1"),
        (lambda: tile_profile(batch=1, tile_px=100), "100 px: .* multiples of 32"),
        (lambda: BuildOptions(profiles=()), "at least one profile"),
        (lambda: BuildOptions(profiles=(PROFILE,), workspace_mib=1), "at least 16 MiB"),
        (lambda: BuildOptions(profiles=(PROFILE,), optimisation_level=6), "must be 0 to 5"),
        (lambda: BuildOptions(profiles=(PROFILE,), dla_core=0), "a DLA takes one shape"),
    ],
)
def test_options_that_make_no_sense_are_refused(make: object, said: str) -> None:
    assert callable(make)
    with pytest.raises(ConfigError, match=said):
        make()


def test_options_differ_in_their_text() -> None:
    one = BuildOptions(profiles=(PROFILE,))
    same = BuildOptions(profiles=(tile_profile(batch=8, tile_px=256),))
    other = BuildOptions(profiles=(PROFILE,), hardware="ampere+")
    assert one.text == same.text != other.text
