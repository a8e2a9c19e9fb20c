from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional

from stripscan.train.enet import Down, ENet, Up, pool, unpool

pytestmark = pytest.mark.train


@pytest.fixture
def net():
    torch.manual_seed(0)
    return ENet(classes=6)


def test_it_is_as_light_as_published(net) -> None:
    assert 0.33e6 < sum(p.numel() for p in net.parameters()) < 0.40e6


@pytest.mark.parametrize(("height", "width"), [(8, 8), (64, 160), (104, 40)])
@pytest.mark.parametrize("classes", [1, 6])
def test_every_pixel_gets_a_logit_of_every_class(height: int, width: int, classes: int) -> None:
    net = ENet(classes=classes).eval()
    with torch.no_grad():
        logits = net(torch.zeros(2, 1, height, width))
    assert logits.shape == (2, classes, height, width)
    assert logits.dtype == torch.float32


def test_the_initial_block_keeps_the_pooled_image(net) -> None:
    x = torch.arange(64.0).reshape(1, 1, 8, 8)
    seen = []
    net.initial.out.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    net.eval()(x)
    assert seen[0].shape == (1, 16, 4, 4)
    assert seen[0][0, 15, 0].tolist() == [9.0, 11.0, 13.0, 15.0]


def test_maxima_return_to_where_they_were() -> None:
    down, up = Down(16, 64).eval(), Up(64, 16).eval()
    x = torch.zeros(1, 16, 4, 4)
    values = {(0, 1): 1.0, (1, 2): 2.0, (3, 0): 3.0, (2, 3): 4.0}  # one in each window of 2x2
    for (row, column), value in values.items():
        x[..., row, column] = value
    for block in (down, up):  # leave the skip alone
        torch.nn.init.zeros_(block.body[5][1].weight)
    torch.nn.init.constant_(up.skip[0].weight, 1 / 16)
    with torch.no_grad():
        pooled, places = down(x)
        y = up(pooled, places)
    assert pooled[0, 0].tolist() == pooled[0, 15].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert pooled[0, 16:].count_nonzero() == 0
    assert torch.allclose(y[0], x[0], atol=1e-3)


def test_pooling_agrees_with_torch_where_pixels_differ() -> None:
    x = torch.randperm(2 * 3 * 6 * 8).reshape(2, 3, 6, 8) / 100
    pooled, which = pool(x)
    expected, places = functional.max_pool2d_with_indices(x, [2, 2])
    assert torch.equal(pooled, expected)
    assert torch.equal(unpool(pooled, which), functional.max_unpool2d(expected, places, [2, 2]))


def test_of_pixels_equal_but_for_rounding_the_first_counts() -> None:
    pooled, which = pool(1 + 1e-6 * torch.randn(1, 1, 4, 4))
    assert which.tolist() == [[[[0, 0], [0, 0]]]]
    first = torch.zeros(4, 4)
    first[::2, ::2] = 1.0
    assert torch.allclose(unpool(pooled, which)[0, 0], first, atol=1e-4)


def test_the_dilated_convolutions_see_400_px_far(net) -> None:
    x = torch.rand(1, 1, 8, 1024)
    changed = x.clone()
    changed[..., 512] += 100.0
    with torch.no_grad():
        difference = (net.eval()(x) - net(changed)).abs().amax(dim=(0, 1, 2))
    assert torch.count_nonzero(difference[:112]) > 0
    assert torch.count_nonzero(difference[-112:]) > 0


def test_channels_are_dropped_less_before_stage_2(net) -> None:
    dropout = {
        name: module.p
        for name, module in net.named_modules()
        if isinstance(module, torch.nn.Dropout2d)
    }
    early = {p for name, p in dropout.items() if name.startswith(("down1.", "stage1."))}
    late = {p for name, p in dropout.items() if not name.startswith(("down1.", "stage1."))}
    assert (early, late) == ({0.01}, {0.1})
    assert len(dropout) == 27  # bottlenecks in table 1 of the paper


def test_the_gradient_reaches_every_parameter(net) -> None:
    net.eval()  # a dropped channel has none
    net(torch.randn(2, 1, 64, 64)).square().sum().backward()
    still = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


def test_weights_written_and_read_give_the_same_logits(net, tmp_path: Path) -> None:
    x = torch.randn(2, 1, 32, 32)
    net(x)  # moves the batch norms too
    torch.save(net.state_dict(), tmp_path / "enet.pt")
    other = ENet(classes=6)
    other.load_state_dict(torch.load(tmp_path / "enet.pt", weights_only=True))
    with torch.no_grad():
        assert torch.equal(other.eval()(x), net.eval()(x))


def test_half_of_the_head_gives_half_of_the_logits(net) -> None:
    state = net.state_dict()
    state |= {"head.weight": state["head.weight"][:, :2], "head.bias": state["head.bias"][:2]}
    half = ENet(classes=2)
    half.load_state_dict(state)
    x = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        assert torch.allclose(half.eval()(x), net.eval()(x)[:, :2], atol=1e-5)


def test_the_memory_layout_of_training_changes_nothing(net) -> None:
    x = torch.randn(2, 1, 64, 48)
    with torch.no_grad():
        plain = net.eval()(x)
        last = net.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    assert torch.allclose(plain, last, atol=1e-4)


def test_it_learns_a_bright_square_on_dark_metal() -> None:
    torch.manual_seed(3)
    net = ENet(classes=1)
    optimiser = torch.optim.AdamW(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1e-2, total_steps=40)
    for _ in range(40):
        x, target = _squares(8)
        loss = functional.binary_cross_entropy_with_logits(net(x), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    x, target = _squares(32)
    with torch.no_grad():
        found = (net.eval()(x) > 0).float()
    dice = 2 * (found * target).sum() / (found + target).sum()
    assert dice > 0.8  # everything bright would be 0.25


def _squares(count: int):
    """Return images ``[count, 1, 32, 32]`` with a square of 12 px each, and where it is."""
    target = torch.zeros(count, 1, 32, 32)
    for plane, (row, column) in zip(target, torch.randint(0, 20, (count, 2)), strict=True):
        plane[:, row : row + 12, column : column + 12] = 1.0
    return target + 0.1 * torch.randn_like(target), target
