"""Pictures of the strip that has just passed, as the station offers them."""

import base64
import http.client
import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from stripscan.contract.block import LineRange
from stripscan.contract.coverage import CoverageInterval, CoverageStatus
from stripscan.runtime.strip_view import KEPT_BANDS, MAX_PX, Sight, StripView, thinned
from stripscan.runtime.supervision import Supervisor
from unit.runtime.line_samples import LINES, WIDTH, Tape, run, spotted


def a_sight(number: int) -> Sight:
    first = 100 * number
    parts = (
        (first, first + 60, CoverageStatus.INSPECTED),
        (first + 60, first + 100, CoverageStatus.DROPPED),
    )
    coverage = tuple(
        CoverageInterval(
            camera="top",
            lines=LineRange(start=start, stop=stop),
            along_start_m=start / 1000,
            along_end_m=stop / 1000,
            status=status,
            reason="",
        )
        for start, stop, status in parts
    )
    pixels = np.full((20, 30), number, np.uint8)
    return Sight(coil="C-1", pixels=pixels, width_px=60, coverage=coverage)


def test_the_newest_bands_are_kept_and_told_once() -> None:
    view = StripView()
    assert view.after(0) == []
    for number in range(100):
        view.keep(a_sight(number))
    told = view.after(0)
    assert [band["number"] for band in told] == list(range(101 - KEPT_BANDS, 101))
    assert view.after(100) == []
    assert [band["number"] for band in view.after(98)] == [99, 100]
    assert len(view.after(5000)) == KEPT_BANDS, "the station was started again"
    last = told[-1]
    assert last["not_inspected"] == [[9960, 10000, "dropped", ""]]
    assert (last["first_line"], last["stop_line"]) == (9900, 10000)
    assert (last["along_start_m"], last["along_end_m"]) == (9.9, 10.0)
    image = cv2.imdecode(np.frombuffer(base64.b64decode(last["jpeg"]), np.uint8), 0)
    assert image is not None
    assert image.shape == (20, 30)
    assert abs(int(image.mean()) - 99) <= 2


def test_a_wide_band_becomes_narrow_and_a_copy() -> None:
    band = np.arange(6 * 1200, dtype=np.uint32).reshape(6, 1200).astype(np.uint8)
    small = thinned(band)
    assert small.shape == (2, 400)
    assert small.shape[1] <= MAX_PX
    np.testing.assert_array_equal(small, band[::3, ::3])
    assert not np.shares_memory(small, band)
    assert thinned(band[:, :5]).shape == (6, 5)


def test_a_line_shows_each_of_its_lines_once(tmp_path: Path) -> None:
    supervisor = Supervisor()
    strip = spotted(5 * LINES)
    run(tmp_path / "line.db", Tape(strip, missing=[2]), coil="C-1", supervisor=supervisor)
    bands = supervisor.view.after(0)
    edges = [(band["first_line"], band["stop_line"]) for band in bands]
    assert edges[0][0] == 0
    assert edges[-1][1] == len(strip)
    assert all(a[1] == b[0] for a, b in pairwise(edges))
    lost = [span for band in bands for span in band["not_inspected"]]
    assert (lost[0][0], lost[-1][1]) == (2 * LINES, 3 * LINES)
    assert {span[2] for span in lost} == {"dropped"}
    assert {band["width_px"] for band in bands} == {WIDTH}


def test_the_control_server_tells_what_is_asked_for() -> None:
    from integration.runtime.test_line_control import serving
    from unit.runtime.line_samples import open_book

    supervisor = Supervisor()
    for number in range(3):
        supervisor.view.keep(a_sight(number))
    with serving(open_book(), supervisor) as server:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        answers = {}
        for query in ("", "?after=2", "?after=-1", "?after=x", "?after=%00", "?after=" + "9" * 40):
            connection.request("GET", f"/strip{query}")
            answer = connection.getresponse()
            answers[query] = answer.status, json.loads(answer.read())
        connection.close()
    assert len(answers[""][1]["bands"]) == 3
    assert [band["number"] for band in answers["?after=2"][1]["bands"]] == [3]
    assert {status for query, (status, _) in answers.items() if query not in {"", "?after=2"}} == {
        400
    }
