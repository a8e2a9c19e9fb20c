"""The namespace, its layers, and the size of its modules."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = [ROOT / "runtime", ROOT / "train", ROOT / "export"]
LINES_PER_MODULE = 400


def modules() -> Iterator[Path]:
    for root in SOURCE_ROOTS:
        yield from root.rglob("*.py")


def layered_packages() -> set[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return {name.strip(" ()") for layer in layers for name in layer.split("|")}


@pytest.mark.parametrize("root", SOURCE_ROOTS, ids=lambda root: root.name)
def test_a_root_leaves_the_namespace_open(root: Path) -> None:
    portion = root / "stripscan"
    assert portion.is_dir()
    loose = [path.name for path in portion.iterdir() if path.is_file()]
    assert loose == [], "a file here, __init__.py above all, hides the other roots"


def test_every_package_is_in_a_layer() -> None:
    found = {
        path.name
        for root in SOURCE_ROOTS
        for path in (root / "stripscan").iterdir()
        if path.is_dir() and path.name != "__pycache__"
    }
    assert found <= layered_packages()
    assert {"contract", "runtime", "train", "export", "cli"} <= found


def test_packages_are_packages_and_not_namespaces() -> None:
    folders = {
        path.parent
        for path in modules()
        if path.parent.parent.name != "stripscan" or path.name != "__init__.py"
    }
    assert [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").is_file()] == []


def test_a_module_can_be_read_in_one_sitting() -> None:
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules()
    }
    assert {path: n for path, n in lines.items() if n > LINES_PER_MODULE} == {}


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_links_to_the_repository_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) + re.findall(r'src="([^"]+)"', text)
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (ROOT / target).exists()] == []


def test_every_page_of_the_documentation_is_in_its_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    named = set(re.findall(r"[\w/-]+\.md", menu))
    pages = {str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md")}
    assert pages == named


def test_constraints_are_exact_and_name_no_place() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.]*", pin)] == []
    assert "://" not in text
    assert "/" not in text
