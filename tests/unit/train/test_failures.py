import pytest

torch = pytest.importorskip("torch")

from stripscan.contract.errors import ConfigError
from stripscan.train.failures import memory_explained
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.train


def test_a_lack_of_memory_names_the_options_that_need_less() -> None:
    """The allocation is real: no computer has 2^60 bytes."""
    with pytest.raises(ConfigError) as caught, memory_explained(tiny_config()):
        torch.empty(2**60, dtype=torch.uint8)
    message = str(caught.value)
    assert "the memory of this computer is too small for batches of 4 crops of 64 px" in message
    assert "--set data.batch=2 --set optimiser.accumulate=2" in message
    assert "input.crop_px=64" in message
    assert "--set precision=bf16" in message


def test_a_gpu_is_named() -> None:
    config = tiny_config(data={"batch": 1}, precision="bf16")
    with (
        pytest.raises(ConfigError, match="the memory of the GPU") as caught,
        memory_explained(config),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert "data.batch" not in str(caught.value)
    assert "precision" not in str(caught.value)


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"), memory_explained(tiny_config()):
        raise RuntimeError("shapes differ")
