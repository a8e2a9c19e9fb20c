"""The wheel holds every file of the three roots, under the one name ``stripscan``."""

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_stripscan_is_all_that_it_installs(files: set[str]) -> None:
    top = {name.partition("/")[0] for name in files}
    assert {name for name in top if not name.endswith(".dist-info")} == {"stripscan"}


def test_nothing_of_the_sources_is_left_out(files: set[str]) -> None:
    sources = {
        str(path.relative_to(root))
        for root in (ROOT / "runtime", ROOT / "train", ROOT / "export")
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    installed = {name for name in files if name.startswith("stripscan/")}
    assert installed == sources


def test_type_checkers_see_its_types(files: set[str]) -> None:
    packages = {name.split("/")[1] for name in files if name.endswith("/__init__.py")}
    assert {p for p in packages if f"stripscan/{p}/py.typed" not in files} == set()
