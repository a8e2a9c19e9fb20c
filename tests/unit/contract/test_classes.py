import re

from stripscan.contract.classes import BACKGROUND, CLASS_ID, NEU_CLASSES


def test_ids_run_from_1_without_a_gap_and_leave_0_to_the_background():
    assert [c.id for c in NEU_CLASSES] == [1, 2, 3, 4, 5, 6]
    assert BACKGROUND == 0


def test_the_ids_that_trained_models_have_in_them():
    assert CLASS_ID == {
        "crazing": 1,
        "inclusion": 2,
        "patches": 3,
        "pitted_surface": 4,
        "rolled-in_scale": 5,
        "scratches": 6,
    }


def test_colours_are_distinct_and_well_formed():
    colours = [c.colour for c in NEU_CLASSES]
    assert len(set(colours)) == len(colours)
    assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour in colours)
