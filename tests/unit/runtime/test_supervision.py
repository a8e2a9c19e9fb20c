"""States of a station, its heart beat, and what monitoring is told of them."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stripscan.runtime.coil_run import Progress
from stripscan.runtime.coil_switch import PlannedCoil
from stripscan.runtime.control.desk import Desk, Request
from stripscan.runtime.control.metrics import Metrics
from stripscan.runtime.line_state import LineState
from stripscan.runtime.order_book import OrderBook
from stripscan.runtime.supervision import HANG_S, LOSS_MEMORY_S, CoilNow, Supervisor
from unit.runtime.line_samples import LINES, Tape, open_book, run, spotted


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def working(clock: Clock) -> Supervisor:
    supervisor = Supervisor(clock)
    supervisor.enter(LineState.WARMING)
    supervisor.enter(LineState.READY)
    return supervisor


def answer(supervisor: Supervisor, path: str, store: Path = Path("none")) -> tuple[int, str]:
    metrics = Metrics("line 1", supervisor=supervisor, store=store)
    desk = Desk("line 1", supervisor=supervisor, orders=OrderBook(""), metrics=metrics)
    said = desk.answer(Request(method="GET", path=path, headers={}))
    return int(said.status), said.body.decode()


def test_a_station_is_ready_only_when_it_is_warm() -> None:
    supervisor = Supervisor()
    assert answer(supervisor, "/readyz") == (503, '{"error": "the station is starting"}\n')
    supervisor.enter(LineState.WARMING)
    assert answer(supervisor, "/readyz")[0] == 503
    supervisor.enter(LineState.READY)
    assert answer(supervisor, "/readyz")[0] == 200
    supervisor.enter(LineState.STOPPING)
    assert answer(supervisor, "/readyz")[0] == 503


def test_states_follow_the_table() -> None:
    supervisor = Supervisor()
    with pytest.raises(ValueError, match="a station that is starting cannot be inspecting next"):
        supervisor.enter(LineState.INSPECTING)


def test_losses_degrade_a_station_until_they_are_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="stripscan")
    clock = Clock()
    supervisor = working(clock)
    supervisor.coil = CoilNow(plan=PlannedCoil(id="a"), progress=no_progress())
    for lines in (0, 3, 5):
        supervisor.lost(lines)
        supervisor.review()
        supervisor.review()
    assert (supervisor.state, supervisor.reason) == (
        LineState.DEGRADED,
        "lines were lost in the last 10 s",
    )
    clock.now_s += LOSS_MEMORY_S
    supervisor.review()
    assert supervisor.state is LineState.INSPECTING
    supervisor.trouble = "the new bundle is bad"
    supervisor.review()
    assert supervisor.reason == "the new bundle is bad"
    states = [r.state for r in caplog.records]  # type: ignore[attr-defined]
    assert states == ["warming", "ready", "inspecting", "degraded", "inspecting", "degraded"]


def no_progress() -> Progress:
    return Progress(
        coil="a",
        lines=0,
        total_lines=None,
        length_m=0.0,
        defects=0,
        throughput_mpx_s=0.0,
        latency_p50_ms=None,
    )


def test_a_stage_that_hangs_is_named_and_warming_up_is_no_hanging() -> None:
    clock = Clock()
    supervisor = Supervisor(clock)
    supervisor.enter(LineState.WARMING)
    clock.now_s += 600
    assert answer(supervisor, "/healthz") == (200, '{"state": "warming"}\n')
    supervisor.enter(LineState.READY)
    supervisor.beat("inspecting")
    clock.now_s += HANG_S
    assert answer(supervisor, "/healthz")[0] == 200
    clock.now_s += 1
    status, said = answer(supervisor, "/healthz")
    assert (status, said) == (
        503,
        '{"error": "the main loop has not turned for 31 s; it is at: inspecting"}\n',
    )


def test_metrics_tell_what_was_inspected(tmp_path: Path) -> None:
    store, book, supervisor = tmp_path / "line.sqlite", open_book(), Supervisor()
    during = {
        1: [lambda: book.start(PlannedCoil(id="a"))],
        3: [lambda: book.start(PlannedCoil(id="b"))],
    }
    strip = spotted(6 * LINES)
    run(store, Tape(strip, during=during, missing=(4,)), book=book, supervisor=supervisor)
    status, text = answer(supervisor, "/metrics", store)
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert status == 200
    assert samples["stripscan_blocks_total",] == 5
    assert samples["stripscan_lines_total",] == 6 * LINES
    assert samples["stripscan_lost_lines_total",] == LINES
    assert samples["stripscan_coils_total", "complete"] == 2
    assert samples["stripscan_coverage_metres_total", "dropped"] == pytest.approx(LINES * 0.25e-3)
    without = samples["stripscan_lines_without_coil_total",]
    assert LINES < without < 2 * LINES
    inspected = samples["stripscan_coverage_metres_total", "inspected"]
    assert inspected == pytest.approx((5 * LINES - without) * 0.25e-3)
    assert samples["stripscan_defects_total", "inclusion"] > 5
    bands = samples["stripscan_latency_seconds_count",]
    assert 0 < bands == samples["stripscan_latency_seconds_bucket", "+Inf"]
    assert samples["stripscan_state", "stopping"] == 1
    assert samples["stripscan_store_bytes",] > 10_000
