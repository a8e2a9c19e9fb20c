"""Which convolutions an int8 file keeps in floating point so that it passes the parity gate."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from onnx import ModelProto

from stripscan.contract.errors import ParityError
from stripscan.contract.manifest import ParityReport
from stripscan.export.parity import told

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantised:
    """An int8 file that passed.

    Attributes:
        model: The file.
        kept_float: Convolutions that are not in int8, the most sensitive first.
        parity: Its report.
    """

    model: ModelProto
    kept_float: tuple[str, ...]
    parity: ParityReport


def quantise_until_passed(
    nodes: Sequence[str],
    quantise: Callable[[Sequence[str]], ModelProto],
    check: Callable[[ModelProto], ParityReport],
    harm: Callable[[ModelProto], float],
) -> Quantised:
    """Quantise all nodes, or all but those that harm most alone.

    The nodes left out double from try to try, so that few tries are needed.

    Args:
        nodes: All convolutions.
        quantise: Makes a file with the given nodes in int8.
        check: The parity gate.
        harm: What a file with one node in int8 loses; cheaper than the gate.

    Raises:
        ParityError: Half of the nodes in int8 still fail; the most sensitive are named.
    """
    model = quantise(nodes)
    report = check(model)
    if report.passed:
        return Quantised(model=model, kept_float=(), parity=report)
    ranked = sorted(nodes, key=lambda node: harm(quantise([node])), reverse=True)
    left_out = 1
    while left_out <= len(nodes) // 2:
        kept_float = tuple(ranked[:left_out])
        model = quantise([node for node in nodes if node not in kept_float])
        report = check(model)
        logger.info(
            "int8", extra={"kept_float": left_out, "agreement": round(report.mask_agreement, 5)}
        )
        if report.passed:
            return Quantised(model=model, kept_float=kept_float, parity=report)
        left_out *= 2
    raise ParityError(
        f"int8 differs from the checkpoint even with {left_out // 2} of {len(nodes)} convolutions "
        f"in floating point: {told(report)}. The most sensitive are {', '.join(ranked[:3])}: "
        "leave int8 out of --precision, or train longer"
    )
