"""Bundles as they are written, to be spoiled by a test."""

from pathlib import Path

import pytest

from stripscan.contract.bundle import Bundle, write_bundle
from unit.contract.bundle_samples import FILES, FORMS, draft


@pytest.fixture(params=FORMS)
def bundle(request, tmp_path) -> Bundle:
    return write_bundle(tmp_path / request.param, draft(), FILES)


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_bundle(tmp_path / "neu", draft(), FILES).path


@pytest.fixture
def packed(tmp_path) -> Path:
    return write_bundle(tmp_path / "neu.zip", draft(), FILES).path
