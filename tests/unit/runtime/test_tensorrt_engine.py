import json
import threading
from contextlib import closing

import numpy as np
import pytest

from stripscan.contract.errors import BundleError, EngineError, MissingPartError
from stripscan.runtime.engines.base import Pixels
from stripscan.runtime.engines.cuda import CudaDevice
from stripscan.runtime.engines.tensorrt import MAX_GRAPHS, TensorrtEngine
from unit.runtime.fake_cuda import install_driver_library
from unit.runtime.fake_tensorrt import Installation, install

FIRST = ["upload", "execute", "download", "download"]


@pytest.fixture(params=["10.16.1.11", "11.4.0.106"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Installation:
    return install(monkeypatch, Installation(version=request.param))


def plan_of(machine: Installation, *profiles: tuple[tuple[int, int, int], ...]) -> bytes:
    profiles = profiles or (((1, 32, 32), (4, 64, 64), (4, 64, 64)),)
    return json.dumps({"of": machine.gpu.name, "profiles": profiles}).encode()


@pytest.fixture
def engine(machine: Installation) -> TensorrtEngine:
    return TensorrtEngine(plan_of(machine), CudaDevice())


def some_tiles(count: int, side: int = 64, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side), dtype=np.uint8)


def check(engine: TensorrtEngine, tiles: Pixels) -> None:
    mask, score = engine.infer(tiles)
    assert mask.dtype == score.dtype == np.uint8
    np.testing.assert_array_equal(mask, (tiles < 40) * 2)
    np.testing.assert_array_equal(score, (tiles < 40) * 200)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 9])
def test_any_number_of_tiles_is_run(count: int, engine: TensorrtEngine) -> None:
    for seed in range(3):
        check(engine, some_tiles(count, seed=seed))


def test_a_strided_view_is_run(engine: TensorrtEngine) -> None:
    check(engine, some_tiles(4, 128)[::2, ::2, ::2])


def test_more_tiles_than_fit_are_run_in_parts(
    machine: Installation, engine: TensorrtEngine
) -> None:
    engine.infer(some_tiles(9))
    assert machine.contexts == 2, "one for two parts of 4, one for the last of 1"
    assert machine.gpu.calls.count("launch") == 1, "the second part of 4 is the first's graph"


def test_a_shape_is_recorded_once_and_then_launched(
    machine: Installation, engine: TensorrtEngine
) -> None:
    for count, calls in ((2, [*FIRST, *FIRST]), (3, [*FIRST, *FIRST]), (2, ["launch"])):
        machine.gpu.calls.clear()
        engine.infer(some_tiles(count))
        assert machine.gpu.calls == calls
    assert len(machine.gpu.graphs) == 2


def test_the_shape_used_longest_ago_makes_room(machine: Installation) -> None:
    profile = ((1, 32, 32), (MAX_GRAPHS + 2, 32, 32), (MAX_GRAPHS + 2, 32, 32))
    engine = TensorrtEngine(plan_of(machine, profile), CudaDevice())
    for count in (*range(1, MAX_GRAPHS + 1), 1, MAX_GRAPHS + 1):
        check(engine, some_tiles(count, 32))
    assert len(machine.gpu.graphs) == MAX_GRAPHS
    machine.gpu.calls.clear()
    check(engine, some_tiles(1, 32))
    assert machine.gpu.calls == ["launch"]
    check(engine, some_tiles(2, 32))
    assert machine.gpu.calls[1:] == [*FIRST, *FIRST]


def test_work_that_cannot_be_recorded_is_run_plainly(
    machine: Installation, engine: TensorrtEngine
) -> None:
    machine.gpu.capture_status = 901
    check(engine, some_tiles(2))
    machine.gpu.calls.clear()
    check(engine, some_tiles(2, seed=1))
    assert machine.gpu.calls == FIRST, "it is not tried again"


def test_fewer_tiles_than_a_fixed_batch_are_filled_up(machine: Installation) -> None:
    fixed = ((4, 64, 64),) * 3
    engine = TensorrtEngine(plan_of(machine, fixed), CudaDevice())
    check(engine, some_tiles(4))
    check(engine, some_tiles(3, seed=1))
    check(engine, some_tiles(5, seed=2))
    assert machine.contexts == 1


def test_each_size_takes_its_profile(machine: Installation) -> None:
    small, large = ((2, 32, 32),) * 3, ((1, 96, 96),) * 3
    engine = TensorrtEngine(plan_of(machine, small, large), CudaDevice())
    check(engine, some_tiles(3, 32))
    check(engine, some_tiles(3, 96))
    with pytest.raises(EngineError, match=r"tiles of \(64, 64\) px: the engine was built for "):
        engine.infer(some_tiles(1, 64))


@pytest.mark.parametrize("tiles", [np.zeros((64, 64), np.uint8), np.zeros((1, 64, 64), np.float32)])
def test_what_are_no_tiles_is_refused(tiles: Pixels, engine: TensorrtEngine) -> None:
    with pytest.raises(EngineError, match=r"failed on tiles of .*: the model takes uint8 \[N"):
        engine.infer(tiles)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("create_execution_context", "makes no execution context"),
        ("set_optimization_profile_async", "did not take the profile"),
        ("set_input_shape", "did not take the shape"),
        ("set_tensor_address", "did not take image"),
        ("infer_shapes", "cannot infer shapes"),
        ("execute_async_v3", "did not run"),
    ],
)
def test_every_refused_call_is_an_engine_error(
    call: str, said: str, machine: Installation, engine: TensorrtEngine
) -> None:
    machine.refused.add(call)
    with pytest.raises(EngineError, match=said):
        engine.infer(some_tiles(2))


def test_shapes_left_open_are_an_engine_error(
    machine: Installation, engine: TensorrtEngine
) -> None:
    machine.unknown_shapes = ("mask",)
    with pytest.raises(EngineError, match="did not infer the shapes of mask"):
        engine.infer(some_tiles(2))


def test_a_refusal_while_recording_is_survived(
    machine: Installation, engine: TensorrtEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = machine.gpu.enqueue

    def enqueue(stream: int, name: str, work: object) -> None:
        if stream in machine.gpu.captured:
            machine.refused.add("execute_async_v3")
        real(stream, name, work)  # type: ignore[arg-type]

    monkeypatch.setattr(machine.gpu, "enqueue", enqueue)
    check(engine, some_tiles(2))
    assert machine.gpu.captured == {}


def test_an_engine_that_does_not_load_says_why(machine: Installation) -> None:
    machine.load_fails = "built with 10.3"
    with pytest.raises(EngineError, match=r"cannot load the engine on Fake GPU: built with 10\.3"):
        TensorrtEngine(plan_of(machine), CudaDevice())


@pytest.mark.parametrize(
    "io",
    [
        {"image": "FLOAT", "mask": "UINT8", "score": "UINT8"},
        {"image": "UINT8", "mask": "UINT8"},
        {"image": "UINT8", "mask": "UINT8", "score": "UINT8", "logits": "FLOAT"},
    ],
)
def test_an_engine_with_other_ends_is_refused(io: dict[str, str], machine: Installation) -> None:
    machine.io = io
    with pytest.raises(BundleError, match=r"inputs and outputs are .*stripscan export"):
        TensorrtEngine(plan_of(machine), CudaDevice())


def test_the_runtime_is_never_made_without_a_device(
    machine: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = CudaDevice()
    machine.gpu.count = 0
    install_driver_library(monkeypatch, machine.gpu)
    with pytest.raises(MissingPartError, match="an NVIDIA GPU"):
        TensorrtEngine(plan_of(machine), device)


def test_the_dla_core_reaches_the_runtime(machine: Installation) -> None:
    TensorrtEngine(plan_of(machine), CudaDevice(), dla_core=1)
    assert machine.dla_core == 1


def test_another_thread_may_infer(machine: Installation, engine: TensorrtEngine) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            check(engine, some_tiles(6))
            assert machine.gpu.contexts == [], "the context was left on the thread"
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_cuda_error_is_an_engine_error(
    machine: Installation, engine: TensorrtEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pycuda.driver as cuda

    def lost(stream: int) -> None:
        raise cuda.Error("cuEventSynchronize failed: device lost")

    monkeypatch.setattr(machine.gpu, "finish", lost)
    with pytest.raises(EngineError, match="CUDA failed: cuEventSynchronize failed: device lost"):
        engine.infer(some_tiles(1))
    assert machine.gpu.contexts == []


def test_closing_frees_all_of_the_gpu(machine: Installation) -> None:
    with closing(TensorrtEngine(plan_of(machine), CudaDevice())) as engine:
        engine.infer(some_tiles(5))
        assert machine.gpu.graphs
        assert machine.gpu.memory
    assert machine.gpu.graphs == {}
    assert machine.gpu.memory == {}
    engine.close()
    with pytest.raises(EngineError, match="the engine is closed"):
        engine.infer(some_tiles(1))


def test_the_description_names_version_and_gpu(
    machine: Installation, engine: TensorrtEngine
) -> None:
    assert engine.description == f"TensorRT {machine.version}, Fake GPU"
