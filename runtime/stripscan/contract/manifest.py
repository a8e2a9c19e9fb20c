"""The manifest of a bundle: what the model is, what it was fed, and how well it did.

Run ``python -m stripscan.contract.manifest`` for its JSON schema.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from stripscan.contract.classes import Severity
from stripscan.contract.graph import SIZE_MULTIPLE_PX
from stripscan.contract.manifest_gate import GateDraft, GateEntry
from stripscan.contract.manifest_record import (
    Count,
    FileName,
    Fraction,
    Magnitude,
    Record,
    Sha256,
    Text,
)
from stripscan.contract.paths import check_distinct

SCHEMA_VERSION: Final = 1
MANIFEST_NAME: Final = "manifest.json"
UNSEALED: Final = "0" * 64
"""Value of ``manifest_sha256`` while that hash is taken."""


def _utc(moment: AwareDatetime) -> AwareDatetime:
    if moment.utcoffset() != timedelta(0):
        raise ValueError("the time must be in UTC, like 2026-01-31T12:00:00Z")
    return moment


UtcTime = Annotated[AwareDatetime, AfterValidator(_utc)]


class ClassEntry(Record):
    """One class of the model; the fields are those of ``contract.classes.DefectClass``."""

    id: Annotated[int, Field(ge=1, le=255)]
    name: Text
    title: Text
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
    severity: Severity


class InputSpec(Record):
    """What the model is fed.

    Attributes:
        tile_px: Side of a square tile in pixels.
        halo_px: Context on each side of a tile that is thrown away, in pixels.
        mm_per_px: Pitch of the training images in mm.
        size_multiple_px: Height and width must be multiples of this, in pixels.
    """

    tile_px: Annotated[int, Field(gt=0)]
    halo_px: Count
    mm_per_px: Annotated[float, Field(gt=0)]
    size_multiple_px: Annotated[int, Field(gt=0)]

    @model_validator(mode="after")
    def _check_tile(self) -> Self:
        for multiple in (self.size_multiple_px, SIZE_MULTIPLE_PX):
            if self.tile_px % multiple:
                raise ValueError(f"tile_px is {self.tile_px}: make it a multiple of {multiple} px")
        if 2 * self.halo_px >= self.tile_px:
            raise ValueError(
                f"halo_px is {self.halo_px}: it must be from 0 to {self.tile_px // 2 - 1} px "
                f"for tile_px {self.tile_px}"
            )
        return self


class ParityReport(Record):
    """How close an exported model is to its checkpoint, on the same tiles.

    Attributes:
        tiles: How many tiles were compared.
        max_abs_logit_error: Largest difference of a logit, None where the file gives masks only.
        mean_abs_logit_error: Mean difference of the logits.
        logit_scale: Largest absolute logit of the checkpoint, to read the error against.
        mask_agreement: Share of pixels of natural tiles with the same class, 0–1.
        adversarial_agreement: The same of constant, saturated, noisy and half dark tiles.
        per_class_iou: IoU of the two masks by class name, None where a class never occurred.
        defects: Whole defects that the checkpoint sees on natural tiles.
        defects_missed: How many of them the file misses.
        defects_invented: How many the file sees where the checkpoint sees none.
        passed: Whether the limits of the export held.
        seed: Seed of the choice of tiles.
    """

    tiles: Annotated[int, Field(ge=1)]
    max_abs_logit_error: Magnitude | None
    mean_abs_logit_error: Magnitude | None = None
    logit_scale: Magnitude
    mask_agreement: Fraction
    adversarial_agreement: Fraction | None = None
    per_class_iou: Mapping[str, Fraction | None]
    defects: Count = 0
    defects_missed: Count = 0
    defects_invented: Count = 0
    passed: bool
    seed: int


class Calibration(Record):
    """The tiles that an int8 model's ranges were measured on.

    Attributes:
        tiles: How many.
        digest: sha256 of all their pixels, 64 hexadecimal digits.
        seed: Seed of the choice of tiles.
    """

    tiles: Annotated[int, Field(ge=1)]
    digest: Sha256
    seed: int


class VariantScores(Record):
    """Headline figures of one variant on the test split; see ``Evaluation``.

    Attributes:
        dice_pixel: Mean Dice of the classes on images with masks.
        miou_pixel: Mean IoU of the classes on images with masks.
        detection_rate: Share of labelled defects that are found.
        iou: IoU by class name.
        n_images: Images that were scored.
    """

    dice_pixel: Fraction | None
    miou_pixel: Fraction | None
    detection_rate: Fraction | None
    iou: Mapping[str, Fraction | None]
    n_images: Count


class VariantDraft(Record):
    """One form of the model, before its file is written.

    Attributes:
        engine: Format of the file: ONNX, or OpenVINO's intermediate representation.
        precision: Of most of its weights; activations too for ``int8``.
        runs_on: An int8 file is made for one kind of device; others run on any.
        file: The model.
        weights: Second file of the model, for OpenVINO.
        batch: Tiles in a call.
        parity: How close it is to the checkpoint.
        scores: What it scores on the test split, None where it was not scored.
        calibration: What int8 ranges were measured on.
        kept_float: Nodes left in floating point as they did not bear int8.
    """

    engine: Literal["onnx", "openvino"]
    precision: Literal["fp32", "fp16", "int8"]
    runs_on: Literal["any", "cpu", "gpu"] = "any"
    file: FileName
    weights: FileName | None = None
    batch: Literal["dynamic"]
    parity: ParityReport | None
    scores: VariantScores | None = None
    calibration: Calibration | None = None
    kept_float: tuple[str, ...] = ()


class FileRecord(Record):
    """Size and hash of a file of the bundle."""

    sha256: Sha256
    size_bytes: Count


class Variant(VariantDraft):
    """One form of the model, with the size and hash of its file."""

    sha256: Sha256
    size_bytes: Count


class DefectFigures(Record):
    """How many defects were found, and how many of those found are there.

    Attributes:
        overlap: Least share of a defect's pixels that counts as found.
        min_area_px: Smallest defect that counts, in pixels.
        mm_per_px: Pitch of the images in mm.
        total: Counts and rates of all defects.
        per_class: The same by class.
        by_size_mm2: The same by area in mm².
    """

    overlap: Fraction
    min_area_px: Count
    mm_per_px: Magnitude
    total: Mapping[str, int | float | None]
    per_class: Mapping[str, Mapping[str, int | float | None]]
    by_size_mm2: Mapping[str, Mapping[str, int | float | None]]


class Evaluation(Record):
    """Scores of the exported model on the test split, as ``stripscan.dataset`` computes them.

    A score is None where no image could give it, or where the bundle is older than the score.
    docs/reference/evaluation.md defines each.

    Attributes:
        intervals: 95 % intervals by the name of the score.
        false_alarms: Count, area and rate per m², by where there is no defect.
        reliability: Bins of confidence, from low to high.
    """

    dice: Fraction | None = None
    dice_pos: Fraction | None = None
    dice_neg: Fraction | None = None
    iou: Fraction | None = None
    dice_boxed: Fraction | None = None
    dice_pixel: Fraction | None = None
    miou_pixel: Fraction | None = None
    miou_pixel_with_background: Fraction | None = None
    detection_rate: Fraction | None = None
    classification_rate: Fraction | None = None
    defect_precision: Fraction | None = None
    ece: Fraction | None = None
    box_figures_of: Literal["mask", "box head"] = "mask"
    per_class: Mapping[str, Mapping[str, int | float | str | None]]
    defects: DefectFigures | None = None
    false_alarms: Mapping[str, Mapping[str, int | float]] = {}
    reliability: tuple[Mapping[str, int | float | None], ...] = ()
    intervals: Mapping[str, tuple[float, float]] = {}
    n_images: Count
    n_images_boxes: Count
    n_images_pixel: Count
    n_sources: Count | None = None


class Provenance(Record):
    """Where the model comes from.

    Attributes:
        recipe: Name of the training recipe.
        data_digest: Digest of the training data.
        split_digest: Digest of the division into training, validation and test.
        seed: Seed of the training.
        versions: Version by package name.
        epochs: Passes over the training split.
        command: The command as it was typed.
    """

    recipe: Text
    data_digest: Text
    split_digest: Text
    seed: int
    versions: Mapping[str, str]
    epochs: Count
    command: str


class Golden(Record):
    """A frame with its expected mask.

    Attributes:
        image: File of the image.
        mask: File of the mask.
        min_agreement: Share of pixels that must have the expected class, 0–1.
    """

    image: FileName
    mask: FileName
    min_agreement: Fraction


class ManifestDraft(Record):
    """A manifest before its files are written: what the exporter knows.

    Attributes:
        schema_version: Version of this layout.
        name: Name of the bundle.
        created: When it was made, UTC.
        stripscan_version: Version of stripscan that made it.
        classes: The classes, ids and names unique.
        input: What the model is fed.
        thresholds: Least confidence by class name, 0–1, as it is in the graph.
        min_area_px: Smallest defect by class name, in pixels.
        variants: Forms of the model, one for each engine and precision.
        evaluation: Scores of the exported model, None where it was not evaluated.
        provenance: Where the model comes from.
        golden: Frames with expected masks.
        gate: The judge before the segmenter, None where the bundle has none.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Text
    created: UtcTime
    stripscan_version: Text
    classes: Annotated[tuple[ClassEntry, ...], Field(min_length=1)]
    input: InputSpec
    thresholds: Mapping[str, Fraction]
    min_area_px: Mapping[str, Count]
    variants: Annotated[tuple[VariantDraft, ...], Field(min_length=1)]
    evaluation: Evaluation | None
    provenance: Provenance
    golden: tuple[Golden, ...] = ()
    gate: GateDraft | None = None

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        _check_unique("class id", [c.id for c in self.classes])
        names = [c.name for c in self.classes]
        _check_unique("class name", names)
        for field, values in (("thresholds", self.thresholds), ("min_area_px", self.min_area_px)):
            if wrong := sorted(set(names) ^ set(values)):
                raise ValueError(f"{field} and classes must name the same classes: see {wrong[0]}")
        _check_unique("variant", [f"{v.engine} {v.precision} {v.runs_on}" for v in self.variants])
        return self


class Manifest(ManifestDraft):
    """The whole manifest, as it lies in ``manifest.json``.

    Attributes:
        manifest_sha256: sha256 of ``manifest.json`` with these 64 digits set to 0, so that a
            damaged manifest is noticed.
        variants: Forms of the model with the size and hash of their files.
        gate: The judge before the segmenter with the size and hash of its file.
        files: Every file of the bundle except ``manifest.json``, by name.
    """

    manifest_sha256: Sha256 = UNSEALED
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)]
    gate: GateEntry | None = None
    files: Mapping[FileName, FileRecord]

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        if MANIFEST_NAME in self.files:
            raise ValueError(f"{MANIFEST_NAME} cannot list itself among its files")
        check_distinct([MANIFEST_NAME, *self.files])
        for name in (n for g in self.golden for n in (g.image, g.mask)):
            if name not in self.files:
                raise ValueError(f"the golden frame {name} is not among the files")
        for variant in self.variants:
            self._check_file(variant, "variants")
            if variant.weights is not None and variant.weights not in self.files:
                raise ValueError(f"the weights {variant.weights} are not among the files")
        if self.gate is not None:
            self._check_file(self.gate, "gate")
            frames = {frame.image for frame in self.golden}
            if foreign := sorted(set(self.gate.golden) - frames):
                raise ValueError(f"the gate has marks of {foreign[0]}, which is no golden frame")
        return self

    def _check_file(self, entry: Variant | GateEntry, part: str) -> None:
        record = self.files.get(entry.file)
        if record is None:
            raise ValueError(f"the model {entry.file} is not among the files")
        if (record.sha256, record.size_bytes) != (entry.sha256, entry.size_bytes):
            raise ValueError(f"{part} and files disagree about {entry.file}")


def _check_unique(what: str, values: Iterable[int | str]) -> None:
    if twice := [value for value, count in Counter(values).items() if count > 1]:
        raise ValueError(f"{what} {twice[0]} occurs twice")


def manifest_schema() -> str:
    """Return the JSON schema of ``manifest.json``, as text with a final newline."""
    schema = Manifest.model_json_schema()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(manifest_schema())
