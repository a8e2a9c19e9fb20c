import itertools
import re
from collections.abc import Sequence

import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from stripscan.contract.manifest import ParityReport
from stripscan.export.sensitivity import TRIALS, most_harmful_first, quantise_until_passed

pytestmark = pytest.mark.export

NODES = tuple("abcdefgh")


def file_of(nodes: Sequence[str]) -> onnx.ModelProto:
    return onnx.ModelProto(producer_name="".join(nodes))


def gate(*, bad: str):
    """Return a gate that a file passes which has none of the bad nodes in int8."""

    def check(model: onnx.ModelProto) -> ParityReport:
        passed = not set(bad) & set(model.producer_name)
        return ParityReport(
            tiles=1,
            max_abs_logit_error=None,
            logit_scale=1.0,
            mask_agreement=0.99,
            per_class_iou={"inclusion": 0.8},
            passed=passed,
            seed=0,
        )

    return check


def harm(model: onnx.ModelProto) -> float:
    return float("habcdefg".index(model.producer_name[0]) < 3) * 10 + len(model.producer_name)


def ranked():
    return most_harmful_first(NODES, file_of, harm)


def test_all_are_quantised_where_that_passes() -> None:
    found = quantise_until_passed(NODES, file_of, gate(bad=""), ranked)
    assert found.kept_float == ()
    assert found.model.producer_name == "abcdefgh"


def test_the_most_harmful_stay_in_floating_point() -> None:
    found = quantise_until_passed(NODES, file_of, gate(bad="hb"), ranked)
    assert set("hb") <= set(found.kept_float)
    assert len(found.kept_float) <= 4
    assert found.parity.passed
    assert set(found.model.producer_name) == set(NODES) - set(found.kept_float)


def test_what_never_passes_names_the_worst() -> None:
    found = quantise_until_passed(NODES, file_of, gate(bad="abcdefgh"), ranked)
    assert not found.parity.passed
    assert found.kept_float == ("a", "b", "h", "c")
    assert re.search(
        r"even with 4 of 8 convolutions.*least IoU is 0\.800, of inclusion.*a, b, h", found.trouble
    )


def test_a_deep_network_is_ranked_in_groups_of_neighbours() -> None:
    nodes = [f"conv{i}" for i in range(2 * TRIALS + 1)]
    tried: list[str] = []

    def harm_of(model: onnx.ModelProto) -> float:
        tried.append(model.producer_name)
        return float("conv50" in model.producer_name)

    groups = most_harmful_first(nodes, file_of, harm_of)
    assert len(tried) <= TRIALS
    assert "conv50" in groups[0]
    assert sorted(node for group in groups for node in group) == sorted(nodes)
    pairs = [pair for group in groups for pair in itertools.pairwise(group)]
    assert all(nodes.index(after) == nodes.index(node) + 1 for node, after in pairs)
