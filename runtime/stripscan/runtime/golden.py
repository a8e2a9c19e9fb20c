"""Golden frames: a bundle's own images, replayed to see that this machine gives its masks."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from stripscan.contract.bundle import Bundle
from stripscan.contract.errors import BundleError, EngineError
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.gate import Gate

_LEAST_MARKS: Final = 0.97
"""Share of a frame's cells: another machine rounds otherwise, and tips those at the limit."""


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


def require_golden(engine: Engine, bundle: Bundle) -> None:
    """Refuse an engine that does not give the masks of a bundle on this machine.

    A bundle without golden frames passes; the first call also warms the engine up.

    Raises:
        EngineError: A frame agrees less than the bundle asks for, or inference failed.
        BundleError: A frame is not a picture, or its mask has another size.
    """
    bad = [result for result in replay(engine, bundle) if not result.passed]
    if not bad:
        return
    worst = min(bad, key=lambda result: result.agreement)
    raise EngineError(
        f"{engine.description} gives other masks than {bundle.path} was made with: "
        f"{len(bad)} of {len(bundle.manifest.golden)} golden frames differ, the worst, "
        f"{worst.image}, agrees on {worst.agreement:.2%} of its pixels, {worst.min_agreement:.2%} "
        "must: do not inspect with it; choose another engine or precision, and see "
        "'stripscan doctor'"
    )


def require_gate_golden(gate: Gate, bundle: Bundle) -> None:
    """Refuse a gate that does not mark the cells of the golden frames that it should.

    Raises:
        EngineError: A frame agrees on too few cells, or the gate failed.
        BundleError: A frame is not a picture.
    """
    expected = bundle.manifest.gate.golden if bundle.manifest.gate else {}
    for image, text in expected.items():
        wanted = np.array([[mark == "1" for mark in row] for row in text.split("/")])
        (marks,) = gate.marks([_read(bundle, image)])
        agreement = float(np.mean(marks == wanted)) if marks.shape == wanted.shape else 0.0
        if agreement < _LEAST_MARKS:
            raise EngineError(
                f"the gate marks other cells of {image} than {bundle.path} was made with: "
                f"{agreement:.1%} agree, {_LEAST_MARKS:.0%} must: do not inspect with it, and see "
                "'stripscan doctor'"
            )


def _read(bundle: Bundle, name: str) -> NDArray[np.uint8]:
    decoded = cv2.imdecode(np.frombuffer(bundle.read(name), np.uint8), cv2.IMREAD_GRAYSCALE)
    if decoded is None:
        raise BundleError(f"{bundle.path}: {name} is not a picture")
    return np.asarray(decoded, np.uint8)
