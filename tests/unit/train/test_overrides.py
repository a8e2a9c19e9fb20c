import pytest

pytest.importorskip("torch")

from stripscan.contract.errors import ConfigError
from stripscan.train.config import TrainConfig
from stripscan.train.overrides import overridden
from unit.train.train_samples import tiny_config

pytestmark = pytest.mark.train


def test_options_change_by_their_dotted_names() -> None:
    changed = overridden(
        tiny_config(), ["data.batch=3", "optimiser.peak_lr = 2e-4", "precision=bf16", "patience=5"]
    )
    assert (changed.data.batch, changed.optimiser.peak_lr) == (3, 2e-4)
    assert (changed.precision, changed.patience) == ("bf16", 5)
    assert overridden(changed, ["patience=null"]).patience is None


def test_no_setting_changes_nothing() -> None:
    assert overridden(tiny_config(), []) == tiny_config()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.batch", r"--set data\.batch: write NAME=VALUE"),
        ("data.btch=3", r"--set data\.btch=3: there is no 'btch' here; choose from batch, "),
        ("dta.batch=3", r"there is no 'dta' here; choose from recipe, model"),
        ("epochs.batch=3", r"there is no 'epochs' here"),
        ("data.batch=none", r"--set data\.batch=none: .*integer"),
        ("optimiser.peak_lr=0", r"--set optimiser\.peak_lr=0: .*greater than 0"),
        ("precision=fp8", r"--set precision=fp8: .*'fp32', 'bf16' or 'fp16'"),
    ],
)
def test_what_does_not_fit_is_named(setting: str, message: str) -> None:
    config: TrainConfig = tiny_config()
    with pytest.raises(ConfigError, match=message):
        overridden(config, [setting])
