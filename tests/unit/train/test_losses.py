import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from stripscan.train.losses import distillation, masked_bce_dice

pytestmark = pytest.mark.train

SURE = 20.0  # a logit; its probability is 1 within 1e-8


def test_a_perfect_prediction_costs_nothing() -> None:
    target = (torch.rand(2, 6, 16, 16, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    loss = masked_bce_dice((target * 2 - 1) * SURE, target, torch.ones_like(target))
    assert 0 <= loss.item() < 1e-6


def test_golden_value_of_an_undecided_network() -> None:
    # Probability 0.5 at four pixels, two of them true: BCE = ln 2 at each;
    # Dice = (2 * (2 * 0.5) + 4) / (4 * 0.5 + 2 + 4) = 6 / 8.
    logits, known = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    target = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    loss = masked_bce_dice(logits, target, known, smooth_px=4.0)
    assert loss.item() == pytest.approx(math.log(2) + 0.25, rel=1e-6)
    other_way = masked_bce_dice(logits, 1 - target, known, smooth_px=4.0)
    assert other_way.item() == pytest.approx(loss.item(), rel=1e-6)


def test_golden_value_of_a_confident_network() -> None:
    # Probabilities 0.8 and 0.2 for a true and a false pixel, the mirror of each other:
    # BCE = -ln 0.8 at both; Dice = (2 * 0.8 + 64) / (0.8 + 0.2 + 1 + 64) = 65.6 / 66.
    logit = math.log(0.8 / 0.2)
    loss = masked_bce_dice(
        torch.tensor([[[[logit, -logit]]]]), torch.tensor([[[[1.0, 0.0]]]]), torch.ones(1, 1, 1, 2)
    )
    assert loss.item() == pytest.approx(-math.log(0.8) + 0.4 / 66, rel=1e-5)


def test_missing_every_pixel_costs_more_than_half_of_them() -> None:
    target = torch.ones(1, 1, 16, 16)
    half = torch.full_like(target, -SURE)
    half[..., :8] = SURE
    known = torch.ones_like(target)
    none_found = masked_bce_dice(torch.full_like(target, -SURE), target, known)
    half_found = masked_bce_dice(half, target, known)
    assert none_found > half_found + 5


@given(seed=st.integers(0, 2**31), share=st.floats(0.0, 1.0))
def test_what_is_unknown_has_no_influence(seed: int, share: float) -> None:
    random = torch.Generator().manual_seed(seed)
    known = (torch.rand(2, 3, 8, 8, generator=random) < share).float()
    target = (torch.rand(2, 3, 8, 8, generator=random) < 0.5).float()
    logits = torch.randn(2, 3, 8, 8, generator=random)
    others = torch.randn(2, 3, 8, 8, generator=random) * 10
    changed = torch.where(known > 0, logits, others).requires_grad_()
    loss = masked_bce_dice(logits, target, known)
    same = masked_bce_dice(changed, torch.where(known > 0, target, 1 - target), known)
    assert same.item() == pytest.approx(loss.item(), rel=1e-5, abs=1e-7)
    (gradient,) = torch.autograd.grad(same, changed)
    assert torch.count_nonzero(gradient[known == 0]) == 0


def test_nothing_known_costs_nothing() -> None:
    shape = (1, 6, 4, 4)
    loss = masked_bce_dice(torch.ones(shape), torch.ones(shape), torch.zeros(shape))
    assert loss.item() == 0


def test_a_class_that_is_not_in_the_batch_costs_nearly_nothing() -> None:
    target = torch.zeros(2, 6, 32, 32)
    known = torch.ones_like(target)
    logits = torch.full_like(target, -SURE)
    assert masked_bce_dice(logits, target, known).item() < 1e-6
    logits[0, 3, 0, 0] = 0.0  # one uncertain pixel is no reason for alarm
    assert masked_bce_dice(logits, target, known).item() < 2e-3


def test_each_class_weighs_the_same_whatever_its_size() -> None:
    target = torch.zeros(1, 2, 64, 64)
    target[0, 0] = 1.0
    target[0, 1, :16, :64] = 1.0
    known = torch.ones_like(target)
    found = (target * 2 - 1) * SURE
    no_large, no_small = found.clone(), found.clone()
    no_large[0, 0] = -SURE
    no_small[0, 1] = -SURE

    def dice_part(logits: torch.Tensor) -> float:
        bce = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
        return float(masked_bce_dice(logits, target, known) - bce)

    assert dice_part(no_large) == pytest.approx(dice_part(no_small), abs=0.03)


def test_without_dice_it_is_cross_entropy_alone() -> None:
    logits, known = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    target = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    assert masked_bce_dice(logits, target, known, kind="bce").item() == pytest.approx(math.log(2))


def test_a_pupil_is_best_where_it_agrees_with_its_teacher() -> None:
    teacher = torch.tensor([[[[-1.5, 0.0, 2.0]]]])
    student = teacher.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(distillation(student, teacher), student)
    assert gradient.abs().max() < 1e-6
    assert distillation(teacher + 0.5, teacher) > distillation(teacher, teacher)
    assert distillation(teacher - 0.5, teacher) > distillation(teacher, teacher)
