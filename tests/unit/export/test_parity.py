import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from stripscan.export.graph import DeployedGraph
from stripscan.export.onnx_file import without_logits
from stripscan.export.parity import LIMITS, check_parity, onnx_run, reference_of, told
from unit.export.export_samples import CLASSES, THRESHOLDS, few_tiles

pytestmark = pytest.mark.export


def changed_masks(reference, change):
    """Return what runs a file whose masks are the checkpoint's, changed."""
    masks = iter([change(mask.copy(), number) for number, (_, mask, _) in enumerate(reference)])
    return lambda _: (next(masks), None)


def test_a_right_export_passes(reference, model) -> None:
    report = check_parity(reference, onnx_run(model), "fp32")
    assert report.passed
    assert report.tiles == 14
    assert report.logit_scale > 1
    assert report.mask_agreement >= 0.9999
    assert report.adversarial_agreement >= 0.999
    assert all(iou is None or iou > 0.999 for iou in report.per_class_iou.values())
    assert report.defects > 0
    assert report.defects_missed == report.defects_invented == 0


def test_masks_alone_are_compared_where_a_file_gives_no_logits(reference, model) -> None:
    report = check_parity(reference, onnx_run(without_logits(model)), "fp32")
    assert report.passed
    assert report.max_abs_logit_error is None
    assert "logits" not in told(report)


@pytest.mark.parametrize("wrong", [{"mean": 0.5}, {"std": 0.23}])
def test_another_preprocessing_is_refused_at_every_precision(graph, model, wrong) -> None:
    other = {"mean": 0.45, "std": 0.2, "thresholds": list(THRESHOLDS)} | wrong
    trained = DeployedGraph(graph.model, **other).eval()
    reference = reference_of(trained, few_tiles(), classes=CLASSES)
    for precision in ("fp32", "fp16", "int8"):
        assert not check_parity(reference, onnx_run(model), precision).passed, precision


def test_other_thresholds_are_refused(graph, model) -> None:
    other = DeployedGraph(graph.model, mean=0.45, std=0.2, thresholds=[0.5] * 6).eval()
    reference = reference_of(other, few_tiles(), classes=CLASSES)
    assert not check_parity(reference, onnx_run(model), "int8").passed


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_swapped_classes_are_refused(reference, precision) -> None:
    swap = np.array([0, 2, 3, 4, 5, 6, 1], np.uint8)
    run = changed_masks(reference, lambda mask, _: swap[mask])
    report = check_parity(reference, run, precision)
    assert not report.passed
    assert report.defects_missed == 0  # all found, by the wrong name
    assert min(iou for iou in report.per_class_iou.values() if iou is not None) < 0.5


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_another_resize_is_refused(reference, precision) -> None:
    run = changed_masks(reference, lambda mask, _: np.roll(mask, 1, axis=1))
    assert not check_parity(reference, run, precision).passed


def test_a_weight_that_was_lost_is_refused(reference, model) -> None:
    damaged = onnx.ModelProto()
    damaged.CopyFrom(model)
    largest = max(damaged.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights = onnx.numpy_helper.to_array(largest).copy()
    weights.flat[np.abs(weights).argmax()] = 0
    largest.CopyFrom(onnx.numpy_helper.from_array(weights, largest.name))
    assert not check_parity(reference, onnx_run(damaged), "fp32").passed


def test_logits_that_are_no_numbers_are_refused(reference) -> None:
    answers = iter([(mask, np.full_like(logits, np.nan)) for _, mask, logits in reference])
    report = check_parity(reference, lambda _: next(answers), "fp16")
    assert report.mask_agreement == 1.0
    assert not report.passed


def test_a_missed_and_an_invented_defect_are_counted(graph) -> None:
    class Square(torch.nn.Module):
        def forward(self, x):
            grey = (x[:, None] > 100).float() * 10 - 5
            return torch.cat([grey, torch.full_like(grey, -9.0).expand(-1, 5, -1, -1)], dim=1)

    class Uint8(torch.nn.Module):
        def forward(self, image_NHW):
            logits = Square()(image_NHW.float())
            return (logits[:, 0] > 0).to(torch.uint8), None, logits

    tiles = few_tiles(natural=1)
    tile = np.zeros((64, 64), np.uint8)
    tile[:10, :10] = tile[30:40, 30:40] = 200  # two defects of 100 px
    tiles = type(tiles)(natural=(tile,), adversarial=(), seed=0)
    reference = reference_of(Uint8(), tiles, classes=CLASSES)
    other = (tile > 0).astype(np.uint8)
    other[:10, 2:10] = 0  # a fifth of the first is left: missed
    other[50:60, 50:60] = 1  # invented
    report = check_parity(reference, lambda _: (other, None), "int8")
    assert (report.defects, report.defects_missed, report.defects_invented) == (2, 1, 1)
    assert not report.passed


def test_limits_widen_with_coarser_numbers() -> None:
    agreements = [LIMITS[precision].agreement for precision in ("fp32", "fp16", "int8")]
    assert agreements == sorted(agreements, reverse=True)
