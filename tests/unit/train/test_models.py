import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("segmentation_models_pytorch")

from stripscan.contract.errors import ConfigError, DataError
from stripscan.train.config import EnetConfig, ModelConfig, SmpConfig
from stripscan.train.models import build_model, masks_only
from unit.train.train_samples import TINY

pytestmark = pytest.mark.train


@pytest.mark.parametrize("architecture", ["Unet", "fpn"])
def test_networks_of_smp_keep_the_contract(architecture: str) -> None:
    config = SmpConfig(architecture=architecture, encoder="resnet18", encoder_weights=None)
    net = build_model(config, classes=6).eval()
    with torch.no_grad():
        assert net(torch.zeros(1, 1, 64, 96)).shape == (1, 6, 64, 96)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"architecture": "Unett"}, r"no architecture 'unett'; the nearest: unet, "),
        ({"architecture": "zzz"}, r"no architecture 'zzz'; the nearest: .*unet.*segformer"),
        ({"encoder": "resnet81"}, r"no encoder 'resnet81'; the nearest: .*resnet18"),
        ({"encoder": "tu-resnot"}, r"'tu-resnot'.*Unknown model"),
        ({"encoder_weights": "imagnet"}, r"'imagnet'.*'imagenet'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(wrong: dict[str, str], message: str) -> None:
    options = {"encoder": "resnet18", "encoder_weights": None} | wrong
    with pytest.raises(ConfigError, match=message):
        build_model(SmpConfig.model_validate(options), classes=6)


@pytest.mark.usefixtures("offline")
def test_weights_out_of_reach_are_explained() -> None:
    message = r"'imagenet' weights of 'resnet18' cannot be fetched .*--encoder-weights none"
    with pytest.raises(DataError, match=message):
        build_model(SmpConfig(encoder="resnet18"), classes=6)


@pytest.mark.parametrize(
    "config", [TINY, EnetConfig(), SmpConfig(encoder="resnet18", encoder_weights=None)]
)
def test_masks_do_not_need_the_box_head(config: ModelConfig) -> None:
    torch.manual_seed(0)
    both = build_model(config, classes=6, box_head=True).eval()
    masks = build_model(config, classes=6).eval()
    masks.load_state_dict(masks_only(both.state_dict(), config, classes=6))
    x = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        assert both(x).shape == (1, 12, 64, 64)
        assert torch.allclose(both(x)[:, :6], masks(x), atol=1e-5)
