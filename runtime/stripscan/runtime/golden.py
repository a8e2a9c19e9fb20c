"""Golden frames: a bundle's own images, replayed to see that this machine gives its masks."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.bundle import Bundle
from stripscan.contract.errors import BundleError
from stripscan.runtime.engines.base import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenResult:
    """How one frame did.

    Attributes:
        image: Its file in the bundle.
        agreement: Share of pixels with the expected class, 0–1.
        min_agreement: What the bundle asks for.
    """

    image: str
    agreement: float
    min_agreement: float

    @property
    def passed(self) -> bool:
        """Whether the frame agrees well enough."""
        return self.agreement >= self.min_agreement


def replay(engine: Engine, bundle: Bundle) -> tuple[GoldenResult, ...]:
    """Run the engine over the golden frames of a bundle.

    Raises:
        BundleError: A frame is not a picture, or its mask has another size.
        EngineError: Inference failed.
    """
    results = []
    for golden in bundle.manifest.golden:
        image, expected = _read(bundle, golden.image), _read(bundle, golden.mask)
        if image.shape != expected.shape:
            raise BundleError(f"{bundle.path}: {golden.image} and {golden.mask} differ in size")
        mask, _ = engine.infer(image[None])
        results.append(
            GoldenResult(
                image=golden.image,
                agreement=float(np.mean(mask[0] == expected)),
                min_agreement=golden.min_agreement,
            )
        )
    return tuple(results)


def _read(bundle: Bundle, name: str) -> NDArray[np.uint8]:
    decoded = cv2.imdecode(np.frombuffer(bundle.read(name), np.uint8), cv2.IMREAD_GRAYSCALE)
    if decoded is None:
        raise BundleError(f"{bundle.path}: {name} is not a picture")
    return np.asarray(decoded, np.uint8)
