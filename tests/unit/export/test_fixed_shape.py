from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

from stripscan.contract.bundle import Bundle, open_bundle, write_bundle
from stripscan.contract.errors import ParityError
from stripscan.contract.manifest import VariantDraft
from stripscan.export import fixed_shape
from stripscan.export.fixed_shape import with_fixed_shape, write_fixed
from stripscan.export.onnx_file import without_logits
from stripscan.export.tiles import simulated_tiles
from unit.contract.bundle_samples import FILES, draft

pytestmark = pytest.mark.export

TILES = np.stack(simulated_tiles(3, 64, seed=2))


@pytest.fixture
def bundle(model, tmp_path: Path) -> Bundle:
    fp32 = VariantDraft(
        engine="onnx", precision="fp32", file="model.onnx", batch="dynamic", parity=None
    )
    files = FILES | {"model.onnx": without_logits(model).SerializeToString()}
    write_bundle(tmp_path / "mill", draft().model_copy(update={"variants": (fp32,)}), files)
    return open_bundle(tmp_path / "mill")


def test_a_file_has_the_shapes_and_the_masks_that_were_asked_for(
    bundle: Bundle, tmp_path: Path
) -> None:
    (path,) = write_fixed(bundle, tmp_path / "fixed", batch=3, tiles_px=[64])
    assert path.name == "model.3x64x64.onnx"
    graph = onnx.load(path).graph
    ends = [*graph.input, *graph.output]
    shapes = [[dim.dim_value for dim in end.type.tensor_type.shape.dim] for end in ends]
    assert shapes == [[3, 64, 64]] * 3

    whole, fixed = (onnxruntime.InferenceSession(f) for f in (bundle.read("model.onnx"), path))
    masks = [session.run(["mask"], {"image": TILES})[0] for session in (whole, fixed)]
    assert np.mean(masks[0] == masks[1]) > 0.9999
    with pytest.raises(Exception, match="Got: 2 Expected: 3"):
        fixed.run(["mask"], {"image": TILES[:2]})


def test_a_file_with_other_masks_is_not_written(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model, *, batch: int, tile_px: int):
        fixed = with_fixed_shape(model, batch=batch, tile_px=tile_px)
        for tensor in fixed.graph.initializer:
            if tensor.name.endswith("weight") and tensor.data_type == onnx.TensorProto.FLOAT:
                weights = onnx.numpy_helper.to_array(tensor)
                tensor.CopyFrom(onnx.numpy_helper.from_array(-weights, tensor.name))
        return fixed

    monkeypatch.setattr(fixed_shape, "with_fixed_shape", broken)
    with pytest.raises(ParityError, match=r"model\.3x64x64\.onnx: .* of its pixels"):
        list(write_fixed(bundle, tmp_path / "fixed", batch=3, tiles_px=[64]))
    assert list((tmp_path / "fixed").iterdir()) == []
