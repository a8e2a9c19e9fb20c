import pytest

from stripscan.contract import errors

EXIT_CODES = {
    "ConfigError": 2,
    "CommandError": 2,
    "DataError": 2,
    "BundleError": 2,
    "ParityError": 1,
    "GateError": 1,
    "EngineError": 3,
    "CameraError": 3,
    "CameraLost": 3,
    "CameraTimeout": 3,
    "StoreError": 3,
    "MissingPartError": 3,
}


def family(root: type) -> dict[str, type]:
    """Return the error classes of the contract below a class, by name."""
    found = {}
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            found[child.__name__] = child
        found |= family(child)
    return found


def test_every_error_has_its_documented_exit_code():
    found = family(errors.StripscanError)
    assert {name: cls.exit_code for name, cls in found.items()} == EXIT_CODES


@pytest.mark.parametrize("name", EXIT_CODES)
def test_every_error_is_in_the_tree_at_the_top_of_the_file(name):
    assert name in errors.__doc__


def test_a_lost_camera_is_a_camera_error():
    assert issubclass(errors.CameraLost, errors.CameraError)
    assert issubclass(errors.CameraTimeout, errors.CameraError)


def test_a_missing_extra_gives_the_command_to_type():
    error = errors.missing_extra("train", "stripscan train")
    assert isinstance(error, errors.MissingPartError)
    assert "pip install 'stripscan[train]'" in str(error)
    assert "'stripscan train'" in str(error)
