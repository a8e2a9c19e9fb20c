"""False alarms per square metre: the figure that decides whether an inspection stays on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stripscan.contract.errors import DataError
from stripscan.dataset.scoring.defects import DefectRules, alarms
from stripscan.dataset.scoring.poisson import poisson_interval
from stripscan.dataset.scoring.segmented import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRate:
    """Alarms on metal that shows no defect.

    Attributes:
        count: Predicted components.
        area_m2: Metal that was looked at, in m².
        low: Lower end of the 95 % interval of alarms per m².
        high: Upper end.
    """

    count: int
    area_m2: float
    low: float
    high: float

    @property
    def per_m2(self) -> float:
        """Alarms per m²."""
        return self.count / self.area_m2

    def to_json(self) -> dict[str, int | float]:
        """Return plain values for JSON."""
        return {
            "count": self.count,
            "area_m2": self.area_m2,
            "per_m2": self.per_m2,
            "low": self.low,
            "high": self.high,
        }


def alarm_rate(count: int, area_m2: float) -> AlarmRate | None:
    """Return the rate with its exact Poisson interval, None where no metal was looked at."""
    if area_m2 <= 0:
        return None
    low, high = poisson_interval(count)
    return AlarmRate(count=count, area_m2=area_m2, low=low / area_m2, high=high / area_m2)


def alarms_on_clean(
    segment: Segment,
    images: Iterable[NDArray[np.uint8]],
    rules: DefectRules,
    *,
    on_image: Callable[[], None] = lambda: None,
) -> AlarmRate:
    """Count what is found on images of clean metal.

    Args:
        segment: What is scored.
        images: uint8 ``[H, W]`` each; all that is found there is a false alarm.
        rules: Smallest component, and the pitch of the images.
        on_image: Called after each image.

    Raises:
        DataError: There is no image.
    """
    count = pixels = 0
    for image in images:
        count += alarms(segment(image).mask, min_area_px=rules.min_area_px)
        pixels += image.size
        on_image()
    rate = alarm_rate(count, rules.area_m2(pixels))
    if rate is None:
        raise DataError("there is no image of clean metal to look at")
    return rate
