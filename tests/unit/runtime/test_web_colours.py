"""Colours that everybody tells apart, and texts that everybody can read."""

import json
import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from stripscan.contract.classes import NEU_CLASSES

STATIC = files("stripscan.runtime.web") / "static"
STYLE = (STATIC / "style.css").read_text("utf-8")

# Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = XYZ.sum(axis=1)
LEAST_DISTANCE = 12.0  # in CIE L*a*b*; 2.3 is just to be noticed side by side


def linear(colour: str) -> NDArray[np.float64]:
    hexadecimal = colour.lstrip("#")
    if len(hexadecimal) == 3:
        hexadecimal = "".join(2 * c for c in hexadecimal)
    value = np.array([int(hexadecimal[k : k + 2], 16) for k in (0, 2, 4)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.2)."""
    bright = [float(linear(c) @ [0.2126, 0.7152, 0.0722]) + 0.05 for c in (one, other)]
    return max(bright) / min(bright)


@pytest.mark.parametrize("sight", SIGHT)
def test_classes_differ_in_colour_whatever_colours_one_sees(sight: str) -> None:
    seen = {c.name: lab(SIGHT[sight] @ linear(c.colour)) for c in NEU_CLASSES}
    near = {
        pair: float(np.linalg.norm(seen[pair[0]] - seen[pair[1]])) for pair in combinations(seen, 2)
    }
    assert min(near.values()) > LEAST_DISTANCE, min(near, key=near.__getitem__)


@pytest.mark.parametrize("known", NEU_CLASSES, ids=lambda c: c.name)
def test_classes_stand_out_from_the_frame_of_their_mark(known: object) -> None:
    assert contrast(getattr(known, "colour"), "#0b1015") >= 4.5  # noqa: B009 - of any class


def themes() -> dict[str, dict[str, str]]:
    found = {}
    for selector, name in ((r":root \{", "dark"), (r':root\[data-theme="light"\] \{', "light")):
        block = re.search(selector + r"(.*?)\}", STYLE, re.DOTALL)
        assert block
        found[name] = dict(re.findall(r"--([\w-]+): (#\w+)", block[1]))
    return found


@pytest.mark.parametrize("name", ["dark", "light"])
def test_all_text_can_be_read_in_both_themes(name: str) -> None:
    c = themes()[name]
    pairs = [
        *((ink, back) for ink in ("ink", "muted") for back in ("page", "card", "raised")),
        *(("accent", back) for back in ("page", "card")),
        *((state, "card") for state in ("good", "warn", "bad")),
        *(("page", state) for state in ("good", "warn", "bad")),
        *(("on-accent", "accent"), ("bad-ink", "bad-back"), ("warn-ink", "warn-back")),
    ]
    low = {pair: round(contrast(c[pair[0]], c[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}
    assert contrast(c["focus"], c["page"]) >= 3
    assert contrast(c["focus"], c["card"]) >= 3


def test_both_languages_say_all_of_it_with_the_same_figures() -> None:
    texts = json.loads((STATIC / "texts.json").read_text("utf-8"))
    english, german = texts["en"], texts["de"]
    assert english.keys() == german.keys()
    for key, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", german[key])), key
        assert text.strip() and german[key].strip(), key
    assert {f"class.{c.name}" for c in NEU_CLASSES} <= english.keys()


def test_every_text_that_is_asked_for_is_there() -> None:
    english = json.loads((STATIC / "texts.json").read_text("utf-8"))["en"]
    pages = files("stripscan.runtime.web") / "pages"
    asked = set()
    for file in (*STATIC.iterdir(), *pages.iterdir()):
        asked |= set(re.findall(r'\bt\("([\w.]+)"', file.read_text("utf-8")))
    prefixes = {"nav.", "role.", "sort.", "grade."}
    assert {key for key in asked if key not in english and key not in prefixes} == set()


def test_pages_ask_nobody_else_and_stay_small() -> None:
    folder = files("stripscan.runtime.web")
    total = 0
    for name in ("static", "pages"):
        for file in (folder / name).iterdir():
            text = file.read_text("utf-8")
            total += len(text.encode())
            links = set(re.findall(r"https?://[^\s\"'`]+", text))
            assert links <= {"http://www.w3.org/2000/svg"}, file.name
            assert "eval(" not in text
            assert "innerHTML" not in text
    assert total < 150_000
