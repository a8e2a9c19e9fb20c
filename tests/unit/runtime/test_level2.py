"""Whatever a broker hands over, Level 2 gets an answer."""

import json
import random
from pathlib import Path

from stripscan.runtime.control.level2 import Level2Desk
from unit.runtime.line_samples import open_book
from unit.runtime.news_samples import newsroom


def test_ten_thousand_malformed_commands_are_refused_and_change_nothing(tmp_path: Path) -> None:
    dice, book = random.Random(7), open_book()  # noqa: S311 - no secret
    good = json.dumps({"id": "C-1", "length_m": 80.0, "width_mm": 1200.0}).encode()
    with newsroom(tmp_path / "line.sqlite") as (_, news):
        desk = Level2Desk(book, news.alarms)
        for number in range(10_000):
            body = bytearray(good)
            for _ in range(dice.randrange(1, 6)):
                body[dice.randrange(len(body))] = dice.choice(b"\x00\xff{}[]\\e")
            if number % 3 == 0:
                body = bytearray(dice.randbytes(dice.randrange(200)))
            command = dice.choice(["coil/end", "alarm/acknowledge", "", "coil/start/x", "\0"])
            sent_at = dice.choice([None, "", "now", "2026-01-31T12:00:00", "9" * 30])
            answer = desk.answer(command, bytes(body) + b"!", sent_at=sent_at)
            assert answer["ok"] is False
            assert answer["error"]
            json.dumps(answer)
        broken = desk.answer("coil/start", good[:-1])
        assert broken["ok"] is False
        assert book.take() == []
        assert desk.answer("coil/start", good)["ok"] is True
