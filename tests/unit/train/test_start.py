from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from stripscan.contract.errors import ConfigError, DataError
from stripscan.train.checkpoint import Checkpoint, model_state, save_checkpoint
from stripscan.train.config import TeacherConfig, TrainConfig
from stripscan.train.models import build_model
from stripscan.train.module import SegmentationModule
from stripscan.train.start import first_model
from stripscan.train.teacher import teacher_of
from unit.train.train_samples import TINY, tiny_config

pytestmark = pytest.mark.train


def saved(folder: Path, config: TrainConfig, *, seed: int = 5) -> Path:
    """Write a checkpoint with random weights."""
    torch.manual_seed(seed)
    model = build_model(config.model, classes=len(config.classes), box_head=config.box_head)
    path = folder / "checkpoint.safetensors"
    checkpoint = Checkpoint(
        config=config,
        state=model_state(model),
        thresholds=dict.fromkeys(config.classes, 0.5),
        facts={},
    )
    save_checkpoint(checkpoint, path)
    return path


def test_a_run_begins_with_the_weights_of_its_start(tmp_path: Path) -> None:
    path = saved(tmp_path, tiny_config())
    torch.manual_seed(6)
    begun = first_model(tiny_config(start=path)).state_dict()
    fresh = first_model(tiny_config()).state_dict()
    torch.manual_seed(5)
    expected = build_model(TINY, classes=6, box_head=True).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in begun.items())
    assert not torch.equal(fresh["head.weight"], expected["head.weight"])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"model": TINY.model_copy(update={"stem": 6})}, "model"),
        ({"loss": {"boxes": 0}}, "box_head"),
    ],
)
def test_another_network_is_no_start(tmp_path: Path, change: dict[str, object], what: str) -> None:
    path = saved(tmp_path, tiny_config())
    with pytest.raises(ConfigError, match=f"cannot be the start of this run: its {what} is"):
        first_model(tiny_config(start=path, **change))


def test_a_teacher_moves_the_pupil_and_stays_where_it_is(tmp_path: Path) -> None:
    path = saved(tmp_path, tiny_config())
    taught = tiny_config(teacher=TeacherConfig(checkpoint=path, weight=1.0))
    torch.manual_seed(1)
    module = SegmentationModule(taught, total_steps=10)
    assert len(list(module.parameters())) == 2 * len(list(module.model.parameters()))
    nothing_known = torch.zeros(2, 4, 64, 64, dtype=torch.uint8)
    image = torch.randint(0, 255, (2, 1, 64, 64), dtype=torch.uint8)
    module.log = lambda *_, **__: None  # type: ignore[method-assign] # no trainer is attached
    loss = module.training_step((image, nothing_known), 0)
    loss.backward()
    weight = module.model.get_parameter("head.weight")
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


def test_without_a_teacher_unknown_labels_teach_nothing() -> None:
    assert teacher_of(tiny_config()) is None


def test_a_teacher_that_sees_otherwise_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, tiny_config())
    darker = tiny_config(teacher=TeacherConfig(checkpoint=path), input={"crop_px": 64, "mean": 0.3})
    with pytest.raises(ConfigError, match=r"with mean 0\.45 and std 0\.2, the recipe with 0\.3"):
        teacher_of(darker)
    with pytest.raises(DataError, match="missing"):
        teacher_of(tiny_config(teacher=TeacherConfig(checkpoint=tmp_path / "missing.safetensors")))
