"""Commands of Level 2 that come as messages, and their answers."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from stripscan.contract.errors import CommandError
from stripscan.runtime.alarms import AlarmKind, Alarms
from stripscan.runtime.control.bodies import parse_start
from stripscan.runtime.order_book import OrderBook

MAX_COMMAND_BYTES: Final = 4096

MAX_AGE_S: Final = 10.0
"""A command that was sent longer ago would cut the strip at the wrong line."""


class Level2Desk:
    """Answers commands, in any thread.

    Args:
        orders: Where coil changes go.
        alarms: What may be acknowledged.
        now: UTC, for tests.
    """

    def __init__(
        self,
        orders: OrderBook,
        alarms: Alarms,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._orders = orders
        self._alarms = alarms
        self._now = now
        self._commands: dict[str, Callable[[bytes], Mapping[str, object]]] = {
            "coil/start": self._start,
            "coil/end": self._end,
            "alarm/acknowledge": self._acknowledge,
        }

    @property
    def commands(self) -> tuple[str, ...]:
        """Names of the commands."""
        return tuple(self._commands)

    def answer(
        self, command: str, body: bytes, *, retained: bool = False, sent_at: str | None = None
    ) -> dict[str, object]:
        """Carry out a command, or say why not.

        Args:
            command: Its name.
            body: JSON; that of ``POST /coils`` for ``coil/start``.
            retained: Whether it may be old, kept by a broker for whoever comes.
            sent_at: When it was sent, ISO 8601 with a time zone, if it says so.

        Returns:
            ``{"ok": True, …}``, or ``{"ok": False, "error": why}``.
        """
        try:
            if retained:
                raise CommandError("a command must not be retained: publish it without retain")
            if len(body) > MAX_COMMAND_BYTES:
                raise CommandError(f"it has more than {MAX_COMMAND_BYTES} bytes")
            self._check_age(sent_at)
            obey = self._commands.get(command)
            if obey is None:
                raise CommandError(f"there is no {command}, but {', '.join(self._commands)}")
            return {"ok": True, **obey(body)}
        except CommandError as error:
            return {"ok": False, "error": str(error)}

    def _check_age(self, sent_at: str | None) -> None:
        if sent_at is None:
            return
        try:
            age_s = (self._now() - datetime.fromisoformat(sent_at)).total_seconds()
        except (ValueError, TypeError, OverflowError) as error:
            raise CommandError(
                "its time is none: give it like 2026-01-31T12:00:00Z, with the time zone"
            ) from error
        if abs(age_s) > MAX_AGE_S:
            raise CommandError(
                f"it was sent {age_s:.0f} s ago by its own time, {MAX_AGE_S:.0f} s are allowed: "
                "send it when the coil changes, and set both clocks by one server"
            )

    def _start(self, body: bytes) -> Mapping[str, object]:
        coil = parse_start(body).planned()
        return {"coil": coil.id, "ended": self._orders.start(coil)}

    def _end(self, body: bytes) -> Mapping[str, object]:
        if body.strip() not in {b"", b"{}"}:
            raise CommandError("the end of a coil says nothing more: send {}")
        return {"coil": None, "ended": self._orders.end()}

    def _acknowledge(self, body: bytes) -> Mapping[str, object]:
        name = body.strip().decode("utf-8", "replace")
        if name in {"", "{}"}:
            kinds = list(AlarmKind)
        elif name in set(AlarmKind):
            kinds = [AlarmKind(name)]
        else:
            raise CommandError(f"an alarm is one of {', '.join(AlarmKind)}, or {{}} for all")
        return {"acknowledged": self._alarms.acknowledge(kinds, by="level 2")}
