import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors.torch import load_file, save_file

from stripscan.contract.errors import DataError
from stripscan.train.checkpoint import Checkpoint, load_checkpoint, model_state, save_checkpoint
from stripscan.train.config import SmpConfig, TrainConfig
from stripscan.train.models import build_model
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.train


def checkpoint_of(config: TrainConfig) -> Checkpoint:
    torch.manual_seed(3)
    model = build_model(config.model, classes=6).to(memory_format=torch.channels_last).train()
    with torch.no_grad():
        model(torch.rand(2, 1, 64, 64))  # moves the statistics of the norms
    return Checkpoint(
        config=config,
        state=model_state(model),
        thresholds={name: 0.3 + 0.05 * i for i, name in enumerate(config.classes)},
        facts={"epoch": 3, "val_dice": 1 / 3, "versions": {"torch": "2"}},
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, Path]:
    path = tmp_path_factory.mktemp("run") / "checkpoint.safetensors"
    checkpoint = checkpoint_of(tiny_config())
    save_checkpoint(checkpoint, path)
    return checkpoint, path


def test_a_round_trip_keeps_every_bit(saved: tuple[Checkpoint, Path], tmp_path: Path) -> None:
    checkpoint, path = saved
    loaded = load_checkpoint(path)
    assert loaded.config == checkpoint.config
    assert loaded.thresholds == checkpoint.thresholds
    assert loaded.facts == checkpoint.facts
    assert loaded.state.keys() == checkpoint.state.keys()
    for name, tensor in checkpoint.state.items():
        assert tensor.dtype == loaded.state[name].dtype
        assert torch.equal(tensor, loaded.state[name])
    save_checkpoint(loaded, tmp_path / "again.safetensors")
    again = load_checkpoint(tmp_path / "again.safetensors")
    assert all(torch.equal(tensor, again.state[name]) for name, tensor in loaded.state.items())


def test_the_loaded_network_computes_the_same(saved: tuple[Checkpoint, Path]) -> None:
    checkpoint, path = saved
    x = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(checkpoint.build()(x), load_checkpoint(path).build()(x))
    assert not load_checkpoint(path).build().training


@given(data=st.data())
def test_a_flipped_bit_is_noticed(saved: tuple[Checkpoint, Path], data: st.DataObject) -> None:
    _, path = saved
    content = bytearray(path.read_bytes())
    header = int.from_bytes(content[:8], "little")
    within = data.draw(st.sampled_from([8 + header, len(content)]), "upper end")
    content[data.draw(st.integers(0, within - 1), "byte")] ^= 1 << data.draw(st.integers(0, 7))
    damaged = path.with_name("flipped.safetensors")
    damaged.write_bytes(content)
    try:
        loaded = load_checkpoint(damaged)
    except DataError as error:
        assert "flipped.safetensors" in str(error)
    else:  # the name of the checksum was hit, or white space: nothing that counts
        whole = load_checkpoint(path)
        assert (loaded.config, loaded.thresholds) == (whole.config, whole.thresholds)
        assert all(torch.equal(t, loaded.state[name]) for name, t in whole.state.items())


@pytest.mark.parametrize("kept", [0, 7, 8, 500, -1])
def test_a_cut_file_is_refused(saved: tuple[Checkpoint, Path], tmp_path: Path, kept: int) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(saved[1].read_bytes()[:kept])
    with pytest.raises(DataError, match=r"cut\.safetensors: cannot be read"):
        load_checkpoint(cut)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.safetensors: cannot be read"):
        load_checkpoint(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    "record",
    [None, "no json", "[]", "{}", '{"config": {}, "thresholds": [], "facts": {}}'],
)
def test_weights_of_other_programs_are_refused(tmp_path: Path, record: str | None) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, path, {"stripscan": record} if record else None)
    with pytest.raises(DataError, match=r"foreign\.safetensors: .*not the configuration"):
        load_checkpoint(path)


def test_weights_of_another_network_are_refused(
    saved: tuple[Checkpoint, Path], tmp_path: Path
) -> None:
    _, path = saved
    wider = tiny_config(model={"kind": "compact", "widths": (8, 8, 12, 16)})
    record = {"config": wider.model_dump(mode="json"), "thresholds": {}, "facts": {}}
    other = tmp_path / "other.safetensors"
    save_file(load_file(path), other, {"stripscan": json.dumps(record)})
    with pytest.raises(DataError, match="do not fit the network"):
        load_checkpoint(other).build()


def test_a_crash_while_writing_leaves_the_old_checkpoint(
    saved: tuple[Checkpoint, Path], tmp_path: Path
) -> None:
    checkpoint, _ = saved
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(checkpoint, path)
    before = path.read_bytes()
    unwritable = Checkpoint(
        config=checkpoint.config,
        state=checkpoint.state,
        thresholds=checkpoint.thresholds,
        facts={"epoch": object()},
    )
    with pytest.raises(TypeError):
        save_checkpoint(unwritable, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.usefixtures("offline")
def test_a_checkpoint_of_smp_needs_no_network(tmp_path: Path) -> None:
    pytest.importorskip("segmentation_models_pytorch")
    scratch = tiny_config(model=SmpConfig(encoder="resnet18", encoder_weights=None))
    checkpoint = checkpoint_of(scratch)
    fetched = tiny_config(model=SmpConfig(encoder="resnet18", encoder_weights="imagenet"))
    save_checkpoint(
        Checkpoint(
            config=fetched,
            state=checkpoint.state,
            thresholds=checkpoint.thresholds,
            facts=checkpoint.facts,
        ),
        tmp_path / "unet.safetensors",
    )
    loaded = load_checkpoint(tmp_path / "unet.safetensors")
    assert loaded.config.model == fetched.model
    built = loaded.build().state_dict()
    assert all(torch.equal(tensor, built[name]) for name, tensor in checkpoint.state.items())
