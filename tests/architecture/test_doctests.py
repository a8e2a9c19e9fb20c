"""The examples in docstrings give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import stripscan


def modules() -> list[str]:
    return [
        module.name
        for module in pkgutil.walk_packages(stripscan.__path__, "stripscan.")
        if not module.name.endswith("__main__")
    ]


@pytest.mark.parametrize("name", modules())
def test_examples_of_a_module(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
