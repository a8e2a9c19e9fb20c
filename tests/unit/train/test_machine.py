import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from stripscan.contract.errors import ConfigError, MissingPartError
from stripscan.train.machine import Machine, new_trainer, share_of
from unit.train.train_samples import tiny_config

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(torch.cuda.is_available(), reason="speaks of a computer without a GPU"),
]


def test_half_precision_is_for_gpus() -> None:
    with pytest.raises(ConfigError, match=r"precision fp16 needs a GPU.*Take fp32, or bf16"):
        new_trainer(tiny_config(precision="fp16"), Machine(), progress=False)


def test_a_gpu_that_is_not_there_is_missed() -> None:
    with pytest.raises(MissingPartError, match="cannot train with --accelerator gpu on 1 device"):
        new_trainer(tiny_config(), Machine(accelerator="gpu"), progress=False)


@pytest.mark.parametrize(("precision", "told"), [("fp32", "32-true"), ("bf16", "bf16-mixed")])
def test_the_options_reach_the_trainer(precision: str, told: str) -> None:
    config = tiny_config(precision=precision, optimiser={"accumulate": 3, "gradient_clip": 0.5})
    trainer = new_trainer(config, Machine(devices="auto"), progress=False)
    assert trainer.precision == told
    assert trainer.accumulate_grad_batches == 3
    assert trainer.gradient_clip_val == 0.5
    assert (share_of(trainer).rank, share_of(trainer).world) == (0, 1)


def test_processes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = new_trainer(tiny_config(), Machine(accelerator="cpu", devices=2), progress=False)
    assert share_of(trainer).world == 2


def test_slurm_says_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SLURM_JOB_ID": "123456",
        "SLURM_JOB_NAME": "train",
        "SLURM_NNODES": "2",
        "SLURM_NTASKS": "4",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_PROCID": "3",
        "SLURM_LOCALID": "1",
        "SLURM_NODEID": "1",
        "SLURM_NODELIST": "node[1-2]",
    }.items():
        monkeypatch.setenv(name, value)
    trainer = new_trainer(tiny_config(), Machine(accelerator="cpu"), progress=False)
    assert (trainer.num_nodes, share_of(trainer).rank, share_of(trainer).world) == (2, 3, 4)
    with pytest.raises(ConfigError, match=r"started 2 process.* on 2 node.*--devices 1 --nodes 2"):
        new_trainer(tiny_config(), Machine(accelerator="cpu", devices=1), progress=False)


def test_torchrun_says_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TORCHELASTIC_RUN_ID": "x",
        "WORLD_SIZE": "6",
        "LOCAL_WORLD_SIZE": "3",
        "RANK": "4",
        "LOCAL_RANK": "1",
        "GROUP_RANK": "1",
    }.items():
        monkeypatch.setenv(name, value)
    trainer = new_trainer(tiny_config(), Machine(accelerator="cpu"), progress=False)
    assert (trainer.num_nodes, share_of(trainer).rank, share_of(trainer).world) == (2, 4, 6)
    with pytest.raises(ConfigError, match=r"started 3 process.* on 2 node.*--devices 2 --nodes 2"):
        new_trainer(tiny_config(), Machine(accelerator="cpu", devices=2), progress=False)
