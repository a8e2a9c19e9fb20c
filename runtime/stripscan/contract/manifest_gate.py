"""The gate in a manifest: the cheap judge before the segmenter."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from stripscan.contract.graph import SIZE_MULTIPLE_PX
from stripscan.contract.manifest_record import (
    Count,
    FileName,
    Fraction,
    Magnitude,
    Record,
    Sha256,
    Text,
)


class GateReport(Record):
    """What a gate passes on to the segmenter, on pictures that it was not trained on.

    Attributes:
        defects: By class name, defects that the segmenter finds in the test split and on
            simulated tiles.
        passed: By class name, how many of them lie, for the most part, in tiles of ``tile_px``
            that pass.
        clean_m2: Area of simulated clean metal of many looks, in m².
        clean_marked: Share of its tiles that pass as well, 0–1.
    """

    defects: Mapping[str, Count]
    passed: Mapping[str, Count]
    clean_m2: Magnitude
    clean_marked: Fraction


class GateOrigin(Record):
    """Where a gate comes from.

    Attributes:
        data_digest: Digest of the pictures that it was trained and set on.
        split_digest: Digest of the division into training, validation and test.
        seed: Seed of the training.
        epochs: Passes over the examples.
        versions: Version by package name.
        command: The command as it was typed.
    """

    data_digest: Text
    split_digest: Text
    seed: int
    epochs: Count
    versions: Mapping[str, str]
    command: str


class GateDraft(Record):
    """The judge that looks at reduced lines before the segmenter, before its file is written.

    Attributes:
        file: The ONNX file; its contract is in ``contract.graph``.
        cell_px: Side of a cell in px: one mark each.
        reduction: It sees mean and roughness of so many by so many pixels.
        threshold: Least probability of a defect by which a cell is marked, as it is in the graph.
        tile_px: Side of the segmenter's tiles where the gate is used and the station names none,
            in px: where few tiles are inferred, smaller ones waste less.
        report: What it passes on, None where it was not counted.
        origin: Where it comes from.
        golden: By golden frame, the marks that are expected: rows of cells from the top, with
            slashes between, ``1`` a marked cell.
    """

    file: FileName
    cell_px: Annotated[int, Field(gt=0, multiple_of=8)]
    reduction: Literal[4]
    threshold: Fraction
    tile_px: Annotated[int, Field(gt=0, multiple_of=SIZE_MULTIPLE_PX)]
    report: GateReport | None = None
    origin: GateOrigin
    golden: Mapping[FileName, Annotated[str, Field(pattern=r"^[01]+(/[01]+)*$")]] = {}


class GateEntry(GateDraft):
    """The gate, with the size and hash of its file."""

    sha256: Sha256
    size_bytes: Count
