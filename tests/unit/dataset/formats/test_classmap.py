import pytest

from stripscan.contract.errors import ConfigError
from stripscan.dataset.formats.classmap import known_classes, parse_map, resolve
from stripscan.dataset.formats.foreign import ForeignSet


def foreign(*classes: str, **options: object) -> ForeignSet:
    return ForeignSet(classes=classes, images=(), **options)


def test_a_name_may_hold_spaces_and_equal_signs():
    assert parse_map(["edge = crack=scratches", "ok=background"]) == {
        "edge = crack": "scratches",
        "ok": "background",
    }


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["scratches"], "--map scratches: write it as theirs=ours"),
        (["=scratches"], "write it as theirs=ours"),
        (["3=scratch"], "no class 'scratch'; did you mean 'scratches'"),
        (["3="], "no class ''. It has crazing"),
        (["3=patches", "3=scratches"], "'3' is both 'patches' and 'scratches'"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused(pairs, said):
    with pytest.raises(ConfigError) as error:
        parse_map(pairs)
    assert said in str(error.value)


def test_what_nobody_maps_is_unlabelled_and_the_user_goes_first():
    theirs = foreign("a", "b", "c", default_map={"a": "patches", "b": "patches"})
    assert resolve(theirs, {"b": "scratches"}) == {
        "a": "patches",
        "b": "scratches",
        "c": "unlabelled",
    }


def test_a_map_of_values_replaces_all_that_was_assumed():
    values = foreign("1", "2", default_map={"1": "crazing", "2": "inclusion"}, replace_default=True)
    assert resolve(values, {})["2"] == "inclusion"
    assert resolve(values, {"1": "scratches"}) == {"1": "scratches", "2": "unlabelled"}


def test_a_class_that_the_data_set_does_not_have_gets_the_nearest_name():
    with pytest.raises(ConfigError, match=r"no class 'Crescent_gap'; did you mean 'crescent gap'"):
        resolve(foreign("crescent gap", "weld"), {"Crescent_gap": "scratches"})


def test_known_classes_are_all_unless_named():
    assert len(known_classes([])) == 6
    assert known_classes(["scratches", "inclusion"]) == ("inclusion", "scratches")
    with pytest.raises(ConfigError, match=r"--known patch: .*did you mean 'patches'"):
        known_classes(["patch"])
