import pytest

torch = pytest.importorskip("torch")

from stripscan.train.config import CompactConfig
from stripscan.train.models import build_model, gflop, parameters_m
from unit.train.train_samples import TINY

pytestmark = pytest.mark.train

REACH_BACK_PX, REACH_AHEAD_PX = 216, 185
"""How far the default network sees from a pixel, in px: up and left, and down and right.

The two differ by 31 px, the coarsest stride less one: where a pixel lies in its cell of 32 px
decides how far either side is. Found with the gradient, as in the test below.
"""


@pytest.fixture(scope="module")
def default_net():
    torch.manual_seed(0)
    return build_model(CompactConfig(), classes=6).eval()


def test_the_default_fits_the_line(default_net) -> None:
    assert 0.3 < gflop(default_net, size_px=256) <= 0.5
    assert 0.3 < parameters_m(default_net) <= 1.0


def test_counting_the_cost_leaves_the_network_as_it_was() -> None:
    net = build_model(TINY, classes=6).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    gflop(net, size_px=64)
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 160), (224, 96)])
@pytest.mark.parametrize("classes", [1, 6])
def test_every_pixel_gets_a_logit_of_every_class(height: int, width: int, classes: int) -> None:
    net = build_model(TINY, classes=classes).eval()
    with torch.no_grad():
        logits = net(torch.zeros(2, 1, height, width))
    assert logits.shape == (2, classes, height, width)
    assert logits.dtype == torch.float32


def test_a_coarser_result_is_the_same_seen_from_further_away() -> None:
    torch.manual_seed(3)
    net = build_model(TINY, classes=6).eval()
    x = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        full, half, own = net(x), net(x, stride=2), net(x, stride=4)
    assert half.shape == (1, 6, 32, 32)
    assert own.shape == (1, 6, 16, 16)
    assert torch.allclose(torch.nn.functional.avg_pool2d(full, 2), half, atol=1e-5)


def test_training_in_bf16_sees_what_evaluation_sees() -> None:
    torch.manual_seed(4)
    net = build_model(TINY, classes=6)
    x = torch.rand(4, 1, 64, 64)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.autocast("cpu", torch.bfloat16):
        trained = net.train()(x)
    with torch.no_grad():
        evaluated = net.eval()(x)
    assert torch.corrcoef(torch.stack([trained.flatten().float(), evaluated.flatten()]))[0, 1] > 0.9


def test_what_is_out_of_reach_changes_nothing(default_net) -> None:
    torch.manual_seed(1)
    x = torch.rand(1, 1, 32, 640)
    changed = x.clone()
    changed[..., 320] += 100.0
    with torch.no_grad():
        difference = (default_net(x) - default_net(changed)).abs().amax(dim=(0, 1, 2))
    assert difference[320] > 0.1
    assert torch.count_nonzero(difference[: 320 - REACH_AHEAD_PX]) == 0
    assert torch.count_nonzero(difference[320 + REACH_BACK_PX + 1 :]) == 0


def test_the_reach_is_exactly_what_is_documented(default_net) -> None:
    positive = build_model(CompactConfig(), classes=6).eval()
    with torch.no_grad():  # no weight can cancel another, so that every path shows
        for name, value in default_net.state_dict().items():
            positive.state_dict()[name].copy_(value.abs())
    behind, ahead = [], []
    for column in range(256, 288):
        x = torch.ones(1, 1, 32, 544, requires_grad=True)
        positive(x)[..., column].sum().backward()
        assert x.grad is not None
        seen = (x.grad.abs().sum(dim=(0, 1, 2)) > 0).nonzero().flatten().tolist()
        behind.append(column - seen[0])
        ahead.append(seen[-1] - column)
    assert max(behind) == REACH_BACK_PX
    assert max(ahead) == REACH_AHEAD_PX


def test_a_shift_by_the_coarsest_stride_shifts_the_result(default_net) -> None:
    torch.manual_seed(2)
    x = torch.rand(1, 1, 32, 576)
    with torch.no_grad():
        whole, shifted = default_net(x), default_net(x[..., 32:])
    inner = slice(REACH_BACK_PX + 32, 576 - REACH_AHEAD_PX)
    assert torch.allclose(
        whole[..., inner], shifted[..., inner.start - 32 : inner.stop - 32], atol=1e-4
    )
