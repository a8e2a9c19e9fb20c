import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stripscan.contract.bundle import open_bundle, write_bundle
from stripscan.contract.errors import BundleError
from unit.contract.bundle_samples import FILES, FORMS, draft, names_in


class Breaking(dict[str, bytes]):
    """Files of which the last one cannot be had."""

    def __init__(self, fault: type[BaseException]) -> None:
        super().__init__(FILES)
        self.fault = fault

    def __getitem__(self, name: str) -> bytes:
        if name == "model.onnx":
            raise self.fault("no more")
        return super().__getitem__(name)


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
def test_an_error_while_writing_keeps_the_old_bundle_and_leaves_nothing(bundle, fault):
    with pytest.raises(fault):
        write_bundle(bundle.path, draft(name="new"), Breaking(fault))
    assert open_bundle(bundle.path).manifest.name == "neu-small"
    assert names_in(bundle.path.parent) == [bundle.path.name]


def test_a_new_bundle_replaces_the_old_one_and_leaves_nothing(bundle):
    files = {name: FILES[name] for name in FILES if name == "model.onnx"}
    write_bundle(bundle.path, draft(name="new", golden=()), files)
    assert open_bundle(bundle.path).manifest.name == "new"
    assert names_in(bundle.path.parent) == [bundle.path.name]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({**FILES, "../evil": b""}, "no safe file name"),
        ({**FILES, "Model.onnx": b""}, "differ in letter case"),
        ({**FILES, "manifest.json": b""}, "leave it out"),
        ({"model.onnx": b"m"}, "golden/frame-1.png is not among the files"),
        ({"golden/frame-1.png": b""}, "the model model.onnx is not among the files"),
        ({**FILES, **{f"{n}/x": b"" for n in range(500)}}, "503 files in 502 folders"),
    ],
)
def test_a_bundle_that_could_not_be_opened_is_not_written(bundle, files, told):
    with pytest.raises(BundleError, match=told):
        write_bundle(bundle.path, draft(), files)
    assert open_bundle(bundle.path) == bundle
    assert names_in(bundle.path.parent) == [bundle.path.name]


def test_a_folder_with_other_files_is_not_replaced(tmp_path, folder):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="is not replaced"):
        write_bundle(tmp_path / "home", draft(), FILES)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"notes\.txt in it is no part of the bundle"):
        write_bundle(folder, draft(), FILES)
    assert (tmp_path / "home/thesis.txt").read_text() == "years of work"
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_damaged_bundle_can_be_written_anew(folder):
    (folder / "model.onnx").write_bytes(b"damaged")
    assert write_bundle(folder, draft(), FILES).read("model.onnx") == FILES["model.onnx"]


def test_a_file_or_link_in_the_way_of_a_folder_is_kept(tmp_path, folder):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(folder)
    for name in ("file", "link"):
        with pytest.raises(BundleError, match="in the way"):
            write_bundle(tmp_path / name, draft(), FILES)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_parent_folder_is_a_bundle_error(tmp_path, form):
    with pytest.raises(BundleError, match="check that the folder exists"):
        write_bundle(tmp_path / "gone" / form, draft(), FILES)


def test_a_swap_cut_off_between_its_renames_is_read_and_then_tidied_up(folder, caplog):
    previous = folder.with_name(".neu.previous")
    folder.rename(previous)
    with caplog.at_level(logging.WARNING):
        assert open_bundle(folder).read("model.onnx") == FILES["model.onnx"]
    assert "was interrupted" in caplog.text
    write_bundle(folder, draft(name="new"), FILES)
    assert open_bundle(folder).manifest.name == "new"
    assert not previous.exists()


def test_an_old_folder_left_by_a_crash_does_not_stop_the_next_write(folder):
    shutil.copytree(folder, folder.with_name(".neu.previous"))
    write_bundle(folder, draft(name="new"), FILES)
    assert open_bundle(folder).manifest.name == "new"
    assert names_in(folder.parent) == ["neu"]


WRITER = """
import os, resource, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from unit.contract.bundle_samples import FILES, draft
from stripscan.contract.bundle import write_bundle
from stripscan.contract.errors import BundleError

class Files(dict):
    def __getitem__(self, name):
        if name == "model.onnx" and {kill}:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(name)

if not {kill}:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    files = Files(FILES, big=os.urandom(1_000_000))
    write_bundle(Path(sys.argv[1]), draft(name="new"), files)
except BundleError as error:
    print(error)
"""


def run_writer(path: Path, *, kill: bool) -> subprocess.CompletedProcess[str]:
    tests = str(Path(__file__).parents[2])
    program = WRITER.format(tests=tests, kill=kill)
    command = [sys.executable, "-W", "error", "-c", program, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_writer_killed_half_way_leaves_the_old_bundle(bundle):
    assert run_writer(bundle.path, kill=True).returncode == -9
    left = [p for p in bundle.path.parent.iterdir() if p != bundle.path]
    assert [p.suffix for p in left] == [".part"]
    assert open_bundle(bundle.path) == bundle
    write_bundle(bundle.path, draft(name="new"), FILES)
    assert open_bundle(bundle.path).manifest.name == "new"


def test_a_full_disk_is_a_bundle_error_and_leaves_the_old_bundle(bundle):
    done = run_writer(bundle.path, kill=False)
    assert done.returncode == 0, done.stderr
    assert "cannot be written (File too large), what was there is untouched" in done.stdout
    assert done.stderr == ""
    assert open_bundle(bundle.path) == bundle
    assert names_in(bundle.path.parent) == [bundle.path.name]


KILLED_AT_ANY_STEP = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from unit.contract.bundle_samples import FILES, draft
from unit.contract.kill_steps import killed_at_each_step
from stripscan.contract.bundle import open_bundle, write_bundle

path = Path(sys.argv[1])

def look():
    opened = open_bundle(path)
    assert {{name: opened.read(name) for name in opened.manifest.files}} == FILES
    print(opened.manifest.name, flush=True)
    write_bundle(path, draft(), FILES)

killed_at_each_step(lambda: write_bundle(path, draft(name="new"), FILES), look)
"""


def test_a_writer_killed_at_any_step_leaves_the_old_or_the_new_bundle(bundle):
    """Kill before each call that may change the disk, until a writer gets through."""
    program = KILLED_AT_ANY_STEP.format(tests=str(Path(__file__).parents[2]))
    command = [sys.executable, "-c", program, str(bundle.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    states = done.stdout.split()
    assert len(states) > 5
    assert states == sorted(states)  # "neu-small" up to some step, then "new"
    assert set(states) == {"neu-small", "new"}
