"""Values that the kernel shows as files, below any root: /, or a folder that a test has made."""

from pathlib import Path


def read(root: Path, path: str) -> str | None:
    """Return the text of ``root/path`` without blanks around it; None where there is none."""
    try:
        return (root / path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # missing, or a driver that has no answer
        return None


def read_int(root: Path, path: str) -> int | None:
    """Return the number in ``root/path``; None where there is none."""
    text = read(root, path)
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
