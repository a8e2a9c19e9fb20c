import numpy as np
import pytest

from stripscan.runtime.axis import CoilAxis
from unit.runtime.inspection_samples import block


def lines(count: int) -> np.ndarray:
    return np.zeros((count, 1), np.uint8)


def test_without_a_block_everything_is_at_the_head() -> None:
    assert CoilAxis().along_m(100) == 0.0


def test_the_pitch_follows_the_encoder() -> None:
    axis = CoilAxis()
    axis.add(block(lines(100), 0, mm_per_line=0.5))
    axis.add(block(lines(100), 100, along_m=0.05, mm_per_line=0.2))
    assert [axis.along_m(n) for n in (0, 50, 100, 150, 200)] == pytest.approx(
        [0.0, 0.025, 0.05, 0.06, 0.07]
    )


def test_a_correction_of_the_encoder_holds_from_its_line_on() -> None:
    axis = CoilAxis()
    axis.add(block(lines(100), 0, mm_per_line=0.5))
    axis.add(block(lines(100), 100, along_m=0.06, mm_per_line=0.5))
    assert axis.along_many_m(np.array([99, 100, 110])) == pytest.approx([0.0495, 0.06, 0.065])


def test_lines_that_came_before_keep_their_place() -> None:
    axis = CoilAxis()
    axis.add(block(lines(100), 0, mm_per_line=0.5))
    axis.add(block(lines(100), 50, along_m=0.025, mm_per_line=0.1))
    axis.add(block(lines(100), 0, mm_per_line=0.5))
    assert axis.along_m(90) == pytest.approx(0.045)
    assert axis.along_m(100) == pytest.approx(0.030)
    assert axis.along_m(150) == pytest.approx(0.035)


def test_forgetting_changes_nothing_from_its_line_on() -> None:
    axis = CoilAxis()
    for n in range(50):
        axis.add(block(lines(10), 10 * n, along_m=n * n * 0.01, mm_per_line=n + 1.0))
    wanted = np.arange(237, 600)
    before = axis.along_many_m(wanted)
    axis.forget_before(237)
    assert axis.along_many_m(wanted).tolist() == before.tolist()


def test_memory_does_not_grow_with_the_coil() -> None:
    axis = CoilAxis()
    for n in range(1000):
        axis.add(block(lines(10), 10 * n, along_m=n * 0.01, mm_per_line=1.0 + n % 2))
        axis.forget_before(10 * n)
        assert len(axis._segments) <= 2
