"""Small charts as inline SVG; every text is escaped."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

WIDTH: Final = 220.0
HEIGHT: Final = 120.0

_LEFT = 4.0
_RIGHT = 4.0
_TOP = 14.0
_BOTTOM = 20.0
_PLOT_WIDTH = WIDTH - _LEFT - _RIGHT
_PLOT_HEIGHT = HEIGHT - _TOP - _BOTTOM

Tick = tuple[float, str]
"""Place along an axis, 0-1, and its text."""


def histogram(
    *,
    colour: str,
    ticks: Sequence[Tick],
    label: str,
    filled: Sequence[int] = (),
    outlined: Sequence[int] = (),
) -> Markup:
    """Return one or two histograms over the same bins, each as shares of its own sum.

    Args:
        colour: ``#rrggbb`` of the bars.
        ticks: Marks below.
        label: What a screen reader says.
        filled: Counts drawn as bars.
        outlined: Counts drawn as a stepped line.
    """
    series = [_shares(counts) for counts in (filled, outlined)]
    highest = max((share for shares in series for share in shares), default=0.0) or 1.0
    body = [_axis(ticks), _text(_LEFT, _TOP - 4, f"{highest:.0%}", "start")]
    bars, steps = series
    for i, share in enumerate(bars):
        if share:
            body.append(
                Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}" fill="{}"/>').format(
                    _number(_x(i / len(bars))),
                    _number(_y(share / highest)),
                    _number(_PLOT_WIDTH / len(bars)),
                    _number(_PLOT_HEIGHT * share / highest),
                    colour,
                )
            )
    if steps:
        body.append(_steps([share / highest for share in steps], colour))
    return _svg(body, label)


def scatter(
    *,
    colour: str,
    ticks: Sequence[Tick],
    label: str,
    filled: Sequence[tuple[float, float]] = (),
    outlined: Sequence[tuple[float, float]] = (),
) -> Markup:
    """Return points ``(x, y)``, each 0-1, in a square with the same ticks on both axes.

    Args:
        colour: ``#rrggbb`` of the points.
        ticks: Marks of both axes.
        label: What a screen reader says.
        filled: Points drawn full.
        outlined: Points drawn as rings.
    """
    side = WIDTH - 38
    body = [
        Markup('<rect class="frame" x="26" y="4" width="{0}" height="{0}"/>').format(_number(side)),
        Markup('<path class="grid" d="M26 {}L{} 4"/>').format(
            _number(side + 4), _number(side + 26)
        ),
    ]
    for place, text in ticks:
        body.append(_text(26 + place * side, side + 17, text, "middle"))
        body.append(_text(22, side + 8 - place * side, text, "end"))
    for points, style in ((outlined, "ring"), (filled, "dot")):
        body += [
            Markup('<circle class="{}" cx="{}" cy="{}" r="2.2" {}="{}"/>').format(
                style,
                _number(26 + x * side),
                _number(4 + side - y * side),
                "stroke" if style == "ring" else "fill",
                colour,
            )
            for x, y in points
        ]
    return _svg(body, label, height=side + 22)


def stacked(parts: Sequence[tuple[float, str]], colour: str) -> Markup:
    """Return one bar of parts ``(length 0-1, style)``; styles are ``solid`` and ``pale``."""
    body, at = [], 0.0
    for length, style in parts:
        body.append(
            Markup('<rect class="bar {}" x="{}" y="1" width="{}" height="10" fill="{}"/>').format(
                style, _number(at * 100), _number(length * 100), colour
            )
        )
        at += length
    return Markup(
        '<svg class="stacked" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        "{}</svg>"
    ).format(Markup().join(body))


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts] if total else []


def _x(place: float) -> float:
    return _LEFT + place * _PLOT_WIDTH


def _y(place: float) -> float:
    return _TOP + (1 - place) * _PLOT_HEIGHT


def _steps(heights: Sequence[float], colour: str) -> Markup:
    points = [(0.0, 0.0)]
    for i, height in enumerate(heights):
        points += [(i / len(heights), height), ((i + 1) / len(heights), height)]
    points.append((1.0, 0.0))
    path = "M" + "L".join(f"{_number(_x(x))} {_number(_y(y))}" for x, y in points)
    return Markup(
        '<path class="steps-under" d="{0}"/><path class="steps" d="{0}" stroke="{1}"/>'
    ).format(path, colour)


def _axis(ticks: Sequence[Tick]) -> Markup:
    marks = [
        Markup('<path class="grid" d="M{0} {1}V{2}"/>').format(
            _number(_x(place)), _number(_TOP), _number(HEIGHT - _BOTTOM + 3)
        )
        + _text(_x(place), HEIGHT - 6, text, _anchor(place))
        for place, text in ticks
    ]
    base = Markup('<path class="base" d="M{} {}H{}"/>').format(
        _number(_LEFT), _number(HEIGHT - _BOTTOM), _number(WIDTH - _RIGHT)
    )
    return Markup().join(marks) + base


def _anchor(place: float) -> str:
    if place < 0.06:
        return "start"
    return "end" if place > 0.94 else "middle"


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
        _number(x), _number(y), anchor, text
    )


def _svg(body: Sequence[Markup], label: str, *, height: float = HEIGHT) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _number(WIDTH), _number(height), label, Markup().join(body)
    )


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
