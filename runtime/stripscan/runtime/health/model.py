"""What the doctor says of ONNX Runtime, of a bundle, and of the masks that it gives here."""

import importlib.metadata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import onnxruntime

from stripscan.contract.bundle import Bundle, open_bundle
from stripscan.contract.errors import StripscanError
from stripscan.runtime.engines.base import Engine
from stripscan.runtime.engines.choice import open_engine
from stripscan.runtime.golden import replay
from stripscan.runtime.health.finding import Finding


def onnxruntime_finding() -> Finding:
    """Return which ONNX Runtime is installed, and whether two are."""
    names = ("onnxruntime", "onnxruntime-gpu")
    installed = [name for name in names if _version(name)]
    if len(installed) > 1:
        return Finding(
            what="onnxruntime",
            verdict="fail",
            detail="onnxruntime and onnxruntime-gpu overwrite each other's files",
            remedy="pip uninstall onnxruntime onnxruntime-gpu, then install one",
        )
    providers = [p.removesuffix("ExecutionProvider") for p in onnxruntime.get_available_providers()]
    return Finding(
        what="onnxruntime",
        verdict="ok",
        detail=f"{', '.join(installed)} {onnxruntime.__version__}, built with "
        f"{', '.join(providers)}",
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def model_findings(bundle: Path) -> Iterator[Finding]:
    """Yield whether a bundle is whole and gives its masks on ONNX Runtime here."""
    try:
        opened = open_bundle(bundle)
        yield Finding(
            what="bundle",
            verdict="ok",
            detail=f"{opened.manifest.name} {opened.digest[:12]}, all files whole",
        )
        with closing(open_engine(opened)) as engine:
            yield golden_finding("golden frames", engine, opened)
    except StripscanError as error:
        yield Finding(what="bundle", verdict="fail", detail=str(error))


def golden_finding(what: str, engine: Engine, bundle: Bundle) -> Finding:
    """Return whether an engine gives the masks of a bundle's golden frames.

    Raises:
        BundleError, EngineError: See ``replay``.
    """
    frames = replay(engine, bundle)
    worst = min(frames, key=lambda frame: frame.agreement, default=None)
    if worst is None:
        return Finding(
            what=what,
            verdict="warn",
            detail="the bundle has none",
            remedy="export it again: nothing tells whether this machine computes its masks",
        )
    bad = [frame for frame in frames if not frame.passed]
    return Finding(
        what=what,
        verdict="fail" if bad else "ok",
        detail=f"{engine.description}: {len(frames) - len(bad)} of {len(frames)} agree, the worst "
        f"on {worst.agreement:.2%} of its pixels",
        remedy="this machine computes other masks: do not inspect with it; choose another engine "
        "or precision"
        if bad
        else "",
    )
