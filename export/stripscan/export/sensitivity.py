"""Which convolutions an int8 file keeps in floating point so that it passes the parity gate."""

import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from onnx import ModelProto

from stripscan.contract.manifest import ParityReport
from stripscan.export.parity import told

TRIALS: Final = 48
"""Most files that are made to rank convolutions; a network with more is ranked in groups."""

logger = logging.getLogger(__name__)

Group = tuple[str, ...]
"""Convolutions that follow each other and are quantised together, or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantised:
    """An int8 file, and whether it passed.

    Attributes:
        model: The file.
        kept_float: Convolutions that are not in int8, the most sensitive first.
        parity: Its report.
        trouble: Where it did not pass, how far it got and which convolutions are to blame.
    """

    model: ModelProto
    kept_float: tuple[str, ...]
    parity: ParityReport
    trouble: str = ""


def most_harmful_first(
    nodes: Sequence[str],
    quantise: Callable[[Sequence[str]], ModelProto],
    harm: Callable[[ModelProto], float],
) -> tuple[Group, ...]:
    """Return the convolutions, those first that harm most when they alone are in int8.

    Args:
        nodes: All convolutions, in the order of the graph.
        quantise: Makes a file with the given nodes in int8.
        harm: What a file loses; cheaper than the gate.
    """
    size = -(-len(nodes) // TRIALS)
    groups = [tuple(nodes[start : start + size]) for start in range(0, len(nodes), size)]
    return tuple(sorted(groups, key=lambda group: harm(quantise(group)), reverse=True))


def quantise_until_passed(
    nodes: Sequence[str],
    quantise: Callable[[Sequence[str]], ModelProto],
    check: Callable[[ModelProto], ParityReport],
    ranked: Callable[[], Sequence[Group]],
) -> Quantised:
    """Quantise all nodes, or all but those that harm most.

    What is left out doubles from try to try, so that few tries are needed.

    Args:
        nodes: All convolutions.
        quantise: Makes a file with the given nodes in int8.
        check: The parity gate.
        ranked: Gives the nodes, the most harmful first; called where not all can be in int8.

    Returns:
        The first file that passed, or the last that was tried, with half of the nodes in int8.
    """
    model = quantise(nodes)
    report = check(model)
    if report.passed:
        return Quantised(model=model, kept_float=(), parity=report)
    groups = ranked()
    left_out, kept_float = 1, Group()
    while left_out <= len(groups) // 2:
        kept_float = tuple(itertools.chain(*groups[:left_out]))
        model = quantise([node for node in nodes if node not in kept_float])
        report = check(model)
        logger.info(
            "int8",
            extra={"kept_float": len(kept_float), "agreement": round(report.mask_agreement, 5)},
        )
        if report.passed:
            return Quantised(model=model, kept_float=kept_float, parity=report)
        left_out *= 2
    worst = ", ".join(tuple(itertools.chain(*groups))[:3])
    trouble = (
        f"even with {len(kept_float)} of {len(nodes)} convolutions in floating point, on "
        f"{report.tiles} tiles: {told(report)}. The most sensitive are "
        f"{worst}: leave int8 out of --precision, or train longer"
    )
    return Quantised(model=model, kept_float=kept_float, parity=report, trouble=trouble)
