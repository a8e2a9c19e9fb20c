from pathlib import Path

import pytest

from stripscan.runtime.health.gpu import findings_of, gpu_findings
from unit.runtime.health.made_machine import verdicts

TUNED = "0, NVIDIA H200, 565.57.01, Enabled, 1980, 1980, 34, 0x0000000000000000"
IDLE = "1, NVIDIA RTX A2000, 535.183.01, Disabled, 210, 2100, 41, 0x0000000000000001"
HOT = "2, Tesla T4, 470.82.01, Enabled, 585, 1590, 91, 0x0000000000000068"
JETSON = "0, Orin (nvgpu), 540.4.0, [N/A], [N/A], [N/A], [N/A], [N/A]"


def test_every_gpu_has_its_line() -> None:
    assert verdicts(findings_of(f"{TUNED}\n{IDLE}\n{HOT}\n")) == {
        "gpu 0": "ok",
        "gpu 1": "warn",
        "gpu 2": "warn",
    }


def test_persistence_comes_with_its_command_and_idling_is_no_complaint() -> None:
    (idle,) = findings_of(IDLE)
    assert idle.detail == (
        "NVIDIA RTX A2000, driver 535.183.01, persistence disabled, 210 of 2100 MHz, 41 °C"
    )
    assert "sudo nvidia-smi -i 1 -pm 1" in idle.remedy
    assert "clock" not in idle.remedy


def test_what_holds_the_clock_down_is_named() -> None:
    (hot,) = findings_of(HOT)
    slowed = "the hardware, for heat or power and heat and heat, in hardware"
    assert hot.detail.endswith(f"585 of 1590 MHz, 91 °C, slowed down by {slowed}")


def test_a_gpu_that_does_not_say_is_fine() -> None:
    (jetson,) = findings_of(JETSON)
    assert (jetson.verdict, jetson.detail) == ("ok", "Orin (nvgpu), driver 540.4.0")


def program(folder: Path, script: str) -> None:
    """Write a program that answers as nvidia-smi does."""
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def test_an_older_driver_is_asked_by_the_older_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    asked = 'Field "clocks_event_reasons.active" is not a valid field to query.'
    program(
        tmp_path,
        f"""case "$1" in
            *clocks_event_reasons*) echo '{asked}'; exit 2;;
            *clocks_throttle_reasons*) echo '{HOT}';;
        esac""",
    )
    assert verdicts(gpu_findings()) == {"gpu 2": "warn"}


def test_a_driver_that_does_not_answer_is_told_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18")
    (finding,) = gpu_findings()
    assert finding.verdict == "warn"
    assert finding.detail == (
        "nvidia-smi: Failed to initialize NVML: Driver/library version mismatch"
    )


def test_without_the_program_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(gpu_findings()) == []
