"""A machine made of files, as its kernel would show it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from stripscan.runtime.health.finding import Finding


def machine(root: Path, files: Mapping[str, object]) -> Path:
    """Write files below ``root`` and return it; an empty name stands for a folder."""
    for name, text in files.items():
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n", encoding="utf-8")
    return root


def verdicts(findings: Iterable[Finding]) -> dict[str, str]:
    """Return each verdict by its subject, after checking that a warning has its remedy."""
    told = {}
    for finding in findings:
        assert finding.detail
        assert (finding.verdict == "ok") == (finding.remedy == ""), finding
        told[finding.what] = finding.verdict
    return told
