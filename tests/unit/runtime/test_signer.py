"""What a station file asks of its bundle's signature, where the daemon opens the bundle."""

import logging
import os
from pathlib import Path

import pytest

from stripscan.contract.bundle import sign_bundle, write_bundle
from stripscan.contract.errors import BundleError, ConfigError
from stripscan.contract.keys import public_pem
from stripscan.runtime.daemon import station_bundle
from stripscan.runtime.station import Station, load_station
from unit.contract.bundle_samples import FILES, FORMS, draft
from unit.contract.key_samples import MILL, MILL_ID, OTHER

STATION = """\
name = "line"
[camera]
mm_per_px = 0.5
mm_per_line = 0.5
[source]
kind = "simulator"
[bundle]
path = "{path}"
"""
ONE = 'trusted_keys = ["keys/mill.pem"]\n'
TWO = 'trusted_keys = ["keys/mill.pem", "keys/other.pem"]\n'


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    write_bundle(tmp_path / request.param, draft(), FILES)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/mill.pem").write_bytes(public_pem(MILL.public_key()))
    (tmp_path / "keys/other.pem").write_bytes(public_pem(OTHER.public_key()))
    return str(request.param)


def station(folder: Path, form: str, more: str) -> Station:
    path = folder / "line.toml"
    path.write_text(STATION.format(path=form) + more, encoding="utf-8")
    return load_station(path)


@pytest.mark.parametrize("more", ["", 'signature = "ignore"\n', ONE + 'signature = "ignore"\n'])
def test_an_unsigned_bundle_is_fine_where_nothing_is_asked(
    tmp_path: Path, form: str, more: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert station_bundle(station(tmp_path, form, more)).signature is None
    assert caplog.records == []


@pytest.mark.parametrize("more", [ONE, ONE + 'signature = "require"\n'])
def test_keys_alone_require_a_signature(tmp_path: Path, form: str, more: str) -> None:
    asked = station(tmp_path, form, more)
    with pytest.raises(BundleError, match=r"is not signed: .* the station requires"):
        station_bundle(asked)
    sign_bundle(tmp_path / form, OTHER)
    with pytest.raises(BundleError, match=rf"is no trusted key .{MILL_ID}.: .* requires"):
        station_bundle(asked)
    sign_bundle(tmp_path / form, MILL)
    assert station_bundle(asked).signature is not None


def test_each_of_several_keys_is_trusted(tmp_path: Path, form: str) -> None:
    asked = station(tmp_path, form, TWO)
    for key in (MILL, OTHER):
        sign_bundle(tmp_path / form, key)
        assert station_bundle(asked).signed_by([key.public_key()])


def test_warn_logs_one_warning_and_goes_on(
    tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked = station(tmp_path, form, ONE + 'signature = "warn"\n')
    sign_bundle(tmp_path / form, OTHER)
    with caplog.at_level(logging.WARNING):
        station_bundle(asked)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(tmp_path / form) in record.getMessage()
    assert "is no trusted key" in record.getMessage()
    caplog.clear()
    sign_bundle(tmp_path / form, MILL)
    station_bundle(asked)
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("form", ["neu"], indirect=True)
def test_a_forged_model_is_refused_even_with_a_fitting_manifest(tmp_path: Path, form: str) -> None:
    sign_bundle(tmp_path / form, MILL)
    signature = (tmp_path / form / "manifest.sig").read_bytes()
    write_bundle(tmp_path / form, draft(), {**FILES, "model.onnx": b"blind to defects"})
    (tmp_path / form / "manifest.sig").write_bytes(signature)
    with pytest.raises(BundleError, match="changed or forged"):
        station_bundle(station(tmp_path, form, ONE))


@pytest.mark.parametrize("policy", ["require", "warn"])
def test_a_check_that_no_bundle_can_pass_is_refused(tmp_path: Path, policy: str) -> None:
    with pytest.raises(ConfigError, match=rf'toml:7: bundle: signature = "{policy}" needs the pub'):
        station(tmp_path, "neu", f'signature = "{policy}"\n')


@pytest.mark.parametrize("keys", ['"mill.pem"', "[1]", "true", '["a", ["b"]]'])
def test_keys_that_are_no_list_of_paths_are_placed(tmp_path: Path, keys: str) -> None:
    with pytest.raises(ConfigError, match=r"toml:9: bundle\.trusted_keys: it must be a list of p"):
        station(tmp_path, "neu", f"trusted_keys = {keys}\n")


def test_an_unknown_policy_gets_the_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='must be one of "require", "warn", "ignore"'):
        station(tmp_path, "neu", 'signature = "always"\n')


def test_keys_count_from_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "line.toml").write_text(STATION.format(path="neu") + TWO, encoding="utf-8")
    monkeypatch.chdir("/")
    loaded = load_station(Path(os.path.relpath(tmp_path / "line.toml")))
    assert loaded.bundle.trusted_keys == (tmp_path / "keys/mill.pem", tmp_path / "keys/other.pem")


def test_a_key_that_is_gone_stops_the_station(tmp_path: Path, form: str) -> None:
    sign_bundle(tmp_path / form, MILL)
    asked = station(tmp_path, form, ONE)
    (tmp_path / "keys/mill.pem").unlink()
    with pytest.raises(ConfigError, match=r"mill\.pem: the key cannot be read"):
        station_bundle(asked)
