from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stripscan.contract.bundle import open_bundle, write_bundle
from stripscan.contract.errors import BundleError
from stripscan.contract.manifest_file import parse_manifest
from unit.contract.bundle_samples import FILES, draft


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bundles")
    write_bundle(path / "neu", draft(), FILES)
    write_bundle(path / "neu.zip", draft(), FILES)
    return path


@given(data=st.data())
def test_any_changed_byte_in_any_file_of_a_folder_is_detected(home, data):
    name = data.draw(st.sampled_from([*FILES, "manifest.json"]))
    path = home / "neu" / name
    raw = path.read_bytes()
    position = data.draw(st.integers(0, len(raw) - 1))
    spoilt = bytearray(raw)
    spoilt[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(spoilt)
    try:
        with pytest.raises(BundleError):
            open_bundle(home / "neu")
    finally:
        path.write_bytes(raw)


def test_every_byte_of_a_manifest_counts(home):
    raw = (home / "neu/manifest.json").read_bytes()
    for position in range(len(raw)):
        spoilt = bytearray(raw)
        spoilt[position] ^= 1 << position % 8
        with pytest.raises(BundleError):
            parse_manifest(bytes(spoilt))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0), st.integers(1, 255)), min_size=1, max_size=3),
    cut=st.integers(0, 40),
)
def test_a_damaged_zip_is_refused_or_gives_the_very_same_files(home, tmp_path, changes, cut):
    whole = open_bundle(home / "neu.zip")
    raw = bytearray(whole.path.read_bytes())
    for position, change in changes:
        raw[position % len(raw)] ^= change
    path = tmp_path / "damaged.zip"
    path.write_bytes(raw[: len(raw) - cut])
    try:
        opened = open_bundle(path)
    except BundleError:
        return
    assert opened.digest == whole.digest
    assert {name: opened.read(name) for name in opened.manifest.files} == FILES


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(extra=st.dictionaries(st.from_regex(r"x/[a-z0-9]{1,8}", fullmatch=True), st.binary()))
@pytest.mark.parametrize("form", ["neu", "neu.zip"])
def test_any_files_come_back_as_they_were(tmp_path, form, extra):
    written = write_bundle(tmp_path / form, draft(), {**FILES, **extra})
    assert {name: written.read(name) for name in written.manifest.files} == {**FILES, **extra}
