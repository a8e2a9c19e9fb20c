import json
from pathlib import Path

import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stripscan.contract.bundle import Bundle, open_bundle, write_bundle
from stripscan.contract.errors import BundleError, ConfigError
from stripscan.contract.manifest import ManifestDraft, VariantDraft
from stripscan.export.triton import RepositoryOptions, model_config, write_model_repository
from unit.contract.bundle_samples import FILES, draft

ROOT = Path(__file__).parents[3]
DEFAULT = ROOT / "runtime" / "stripscan" / "models" / "neu-strip-small.zip"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return the default bundle without its other precisions."""
    whole = open_bundle(DEFAULT)
    plain = tuple(v for v in whole.manifest.variants if v.precision == "fp32")
    fields = {name: getattr(whole.manifest, name) for name in ManifestDraft.model_fields}
    drafts = tuple(
        VariantDraft(**{name: getattr(v, name) for name in VariantDraft.model_fields})
        for v in plain
    )
    files = {name: whole.read(name) for name in whole.manifest.files}
    out = tmp_path_factory.mktemp("bundle") / "plain"
    return write_bundle(out, ManifestDraft(**(fields | {"variants": drafts})), files)


def parsed(text: str):  # type: ignore[no-untyped-def]
    """Return the text as Triton's own message; a field that Triton does not know is an error."""
    pytest.importorskip("tritonclient.grpc", exc_type=ImportError)
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    return text_format.Parse(text, model_config_pb2.ModelConfig())


def config_of(bundle: Bundle, **options: object):  # type: ignore[no-untyped-def]
    (variant,) = bundle.manifest.variants
    chosen = RepositoryOptions(**options)  # type: ignore[arg-type]
    return parsed(model_config(bundle, variant, chosen))


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_the_repository_holds_the_very_file_of_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "models"
    (name,) = write_model_repository(bundle, out)
    (variant,) = bundle.manifest.variants
    assert name == f"neu-strip-small-fp32-{variant.sha256[:12]}"
    assert files_in(out) == [f"{name}/1/model.onnx", f"{name}/config.pbtxt"]
    assert (out / name / "1" / "model.onnx").read_bytes() == bundle.read(variant.file)
    session = onnxruntime.InferenceSession(out / name / "1" / "model.onnx")
    assert [node.name for node in session.get_inputs()] == ["image"]
    assert parsed((out / name / "config.pbtxt").read_text(encoding="utf-8")).name == name


def test_triton_reads_what_is_meant(bundle: Bundle) -> None:
    config = config_of(bundle)
    assert (config.backend, config.max_batch_size) == ("onnxruntime", 32)
    assert config.default_model_filename == "model.onnx"
    uint8 = type(config.input[0]).DESCRIPTOR.fields_by_name["data_type"].enum_type
    number = uint8.values_by_name["TYPE_UINT8"].number
    tensors = [*config.input, *config.output]
    assert [(t.name, t.data_type, list(t.dims)) for t in tensors] == [
        (name, number, [-1, -1]) for name in ("image", "mask", "score")
    ]
    assert len(config.input) == 1
    assert list(config.version_policy.specific.versions) == [1]
    (group,) = config.instance_group
    assert (group.kind, group.count) == (group.KIND_GPU, 1)
    batching = config.dynamic_batching
    assert list(batching.preferred_batch_size) == [8, 16, 32]
    assert batching.max_queue_delay_microseconds == 2000
    policy = batching.default_queue_policy
    assert policy.timeout_action == policy.REJECT
    assert policy.default_timeout_microseconds == 500_000
    assert policy.allow_timeout_override
    assert policy.max_queue_size == 256
    assert not config.HasField("optimization")


def test_every_size_of_batch_is_warmed_up_with_tiles_of_the_bundle(bundle: Bundle) -> None:
    config = config_of(bundle, max_batch=12)
    runs = {w.batch_size: w.inputs["image"] for w in config.model_warmup}
    assert sorted(runs) == [1, 3, 6, 12]
    assert all(list(run.dims) == [256, 256] and run.random_data for run in runs.values())
    assert len({w.name for w in config.model_warmup}) == len(config.model_warmup)
    (fixed,) = {tuple(w.inputs["image"].dims) for w in config_of(bundle, tile_px=512).model_warmup}
    assert fixed == (512, 512)


def test_a_client_can_tell_the_bundle_by_the_parameters(bundle: Bundle) -> None:
    parameters = {k: v.string_value for k, v in config_of(bundle).parameters.items()}
    assert parameters["stripscan.bundle_sha256"] == bundle.digest
    assert parameters["stripscan.model_sha256"] == bundle.manifest.variants[0].sha256
    assert json.loads(parameters["stripscan.thresholds"]) == bundle.manifest.thresholds
    assert json.loads(parameters["stripscan.classes"])["6"] == "scratches"


def test_a_cpu_server_is_told_its_threads(bundle: Bundle) -> None:
    config = config_of(bundle, device="cpu", instances=3, threads=4)
    (group,) = config.instance_group
    assert (group.kind, group.count) == (group.KIND_CPU, 3)
    assert config.parameters["intra_op_thread_count"].string_value == "4"
    assert "intra_op_thread_count" not in config_of(bundle).parameters


def test_tensorrt_gets_a_profile_for_the_one_size_and_all_batches(bundle: Bundle) -> None:
    config = config_of(bundle, tensorrt=True, tile_px=256, max_batch=16, preferred_batches=(4, 8))
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    values = dict(accelerator.parameters)
    assert values["precision_mode"] == "FP32"
    assert values["trt_profile_min_shapes"] == "image:1x256x256"
    assert values["trt_profile_opt_shapes"] == "image:8x256x256"
    assert values["trt_profile_max_shapes"] == "image:16x256x256"
    assert list(config.input[0].dims) == [256, 256]


@given(
    max_batch=st.integers(1, 4096),
    delay_us=st.integers(0, 2**31),
    instances=st.integers(1, 64),
    tile_px=st.none() | st.integers(1, 64).map(lambda n: 32 * n),
)
def test_any_options_make_a_config_that_triton_can_read(
    bundle: Bundle, max_batch: int, delay_us: int, instances: int, tile_px: int | None
) -> None:
    config = config_of(
        bundle, max_batch=max_batch, queue_delay_us=delay_us, instances=instances, tile_px=tile_px
    )
    preferred = list(config.dynamic_batching.preferred_batch_size)
    assert preferred == sorted(set(preferred))
    assert preferred[-1] == config.max_batch_size == max_batch
    assert max(w.batch_size for w in config.model_warmup) == max_batch
    assert config.dynamic_batching.max_queue_delay_microseconds == delay_us


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"instances": 0}, "instances is 0: it must be at least 1"),
        ({"max_batch": 0}, "max_batch is 0"),
        ({"queue_timeout_us": 0}, "queue_timeout_us is 0"),
        ({"max_batch": 4, "preferred_batches": (8,)}, "a preferred batch of 8 tiles is not in 1"),
        ({"tile_px": 250}, "tile_px is 250: it must be a multiple of 32 px"),
        ({"tensorrt": True}, "tensorrt needs device gpu and tile_px"),
        ({"tensorrt": True, "tile_px": 256, "device": "cpu"}, "tensorrt needs device gpu"),
    ],
)
def test_options_that_contradict_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        RepositoryOptions(**options)  # type: ignore[arg-type]


def test_an_earlier_repository_is_replaced(bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "models"
    other = write_bundle(tmp_path / "other", draft(golden=()), FILES)
    (old,) = write_model_repository(other, out)
    (new,) = write_model_repository(bundle, out)
    assert old != new
    assert files_in(out) == [f"{new}/1/model.onnx", f"{new}/config.pbtxt"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["models", "other"]


@pytest.mark.parametrize(
    "foreign", ["notes.txt", "{name}/2/model.onnx", "{name}/labels.txt", "resnet/config.pbtxt"]
)
def test_a_foreign_file_keeps_the_folder(bundle: Bundle, tmp_path: Path, foreign: str) -> None:
    out = tmp_path / "models"
    (name,) = write_model_repository(bundle, out)
    path = out / foreign.format(name=name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine", encoding="utf-8")
    before = files_in(out)
    with pytest.raises(BundleError, match=r"is not replaced, as .* move it away"):
        write_model_repository(bundle, out)
    assert files_in(out) == before
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_link_or_file_in_the_way_stays(bundle: Bundle, tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("mine", encoding="utf-8")
    link.symlink_to(tmp_path)
    for out in (file, link):
        with pytest.raises(BundleError, match="is in the way of the folder"):
            write_model_repository(bundle, out)
    assert file.read_text(encoding="utf-8") == "mine"


def test_nothing_half_written_stays_where_the_bundle_breaks(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", draft(golden=()), FILES)
    out = tmp_path / "models"
    write_model_repository(bundle, out)
    before = files_in(out)
    (bundle.path / "model.onnx").write_bytes(bytes(256))
    with pytest.raises(BundleError, match="the file was changed or damaged"):
        write_model_repository(bundle, out)
    assert files_in(out) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "models"]


def test_a_missing_parent_is_named(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"cannot be written.*check that the folder above exists"):
        write_model_repository(bundle, tmp_path / "absent" / "models")


def test_a_name_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", draft(name="../mill 2", golden=()), FILES)
    with pytest.raises(BundleError, match=r"cannot serve .*'../mill 2'.* --name"):
        write_model_repository(bundle, tmp_path / "models")


def test_text_in_the_manifest_cannot_break_out_of_its_quotes(tmp_path: Path) -> None:
    first = draft().classes[0]
    spiky = first.model_copy(update={"name": 'a"b\\c\n}'})
    names = ['a"b\\c\n}', *(c.name for c in draft().classes[1:])]
    made = draft(
        classes=(spiky, *draft().classes[1:]),
        thresholds=dict.fromkeys(names, 0.5),
        min_area_px=dict.fromkeys(names, 1),
        golden=(),
    )
    config = config_of(write_bundle(tmp_path / "b", made, FILES))
    assert json.loads(config.parameters["stripscan.classes"].string_value)["1"] == 'a"b\\c\n}'


def test_variants_of_one_precision_are_models_of_their_own(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", draft(golden=()), FILES)
    (variant,) = bundle.manifest.variants
    twin = variant.model_copy(update={"sha256": "f" * 64})
    first = model_config(bundle, variant, RepositoryOptions())
    assert parsed(first).name != parsed(model_config(bundle, twin, RepositoryOptions())).name


def test_a_server_gets_the_files_that_are_made_for_its_device(tmp_path: Path) -> None:
    first = draft().variants[0]
    plan = [("fp32", "any"), ("int8", "cpu"), ("int8", "gpu")]
    variants = tuple(
        first.model_copy(update={"precision": p, "runs_on": where, "file": f"{p}-{where}.onnx"})
        for p, where in plan
    )
    files = {v.file: v.file.encode() for v in variants}
    made = draft(variants=variants, golden=())
    bundle = write_bundle(tmp_path / "b", made, files)
    for device in ("gpu", "cpu"):
        options = RepositoryOptions(device=device)  # type: ignore[arg-type]
        names = write_model_repository(bundle, tmp_path / "models", options=options)
        served = {(tmp_path / "models" / n / "1" / "model.onnx").read_text() for n in names}
        assert served == {"fp32-any.onnx", f"int8-{device}.onnx"}
    one = bundle.manifest.variants[1]
    (name,) = write_model_repository(bundle, tmp_path / "models", variants=[one])
    assert name == f"neu-small-int8-{one.sha256[:12]}"


def test_a_bundle_without_onnx_for_the_device_says_so(tmp_path: Path) -> None:
    only = draft().variants[0].model_copy(update={"precision": "int8", "runs_on": "cpu"})
    bundle = write_bundle(tmp_path / "b", draft(variants=(only,), golden=()), FILES)
    with pytest.raises(BundleError, match="holds no ONNX model for the gpu; export one"):
        write_model_repository(bundle, tmp_path / "models")
    assert not (tmp_path / "models").exists()
