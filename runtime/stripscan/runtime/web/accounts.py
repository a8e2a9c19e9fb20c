"""Users, their passwords, sessions and tokens.

Passwords are kept as argon2id hashes (RFC 9106, with the parameters of argon2-cffi), sessions and
tokens as SHA-256 of 256 random bits: whoever reads the file can neither log in nor guess them.
"""

import hashlib
import hmac
import os
import re
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from stripscan.contract.errors import ConfigError
from stripscan.runtime.web.database import WebDatabase, now
from stripscan.runtime.web.roles import Role

MIN_PASSWORD_CHARS: Final = 10
MAX_PASSWORD_CHARS: Final = 256
TOKEN_MARK: Final = "strw_"  # noqa: S105 - no secret
"""How every token begins, so that a leaked one is recognised."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_TOUCH_S: Final = 60
_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asks.

    Attributes:
        user: Name.
        role: What it may do.
        session: Digest of the session in a browser; empty where a token was brought.
    """

    user: str
    role: Role
    session: str = ""


class Accounts:
    """Users and what proves who they are.

    Args:
        database: Where they are kept.
        session_hours: How long a session lasts that is not used.
    """

    def __init__(self, database: WebDatabase, *, session_hours: float) -> None:
        self._database = database
        self._session_s = session_hours * 3600
        self._hasher = PasswordHasher()
        self._key = database.secret("sessions")
        # A hash takes 64 MiB and a core; strangers must not take more of the station than this.
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._nobody = self._hasher.hash(secrets.token_hex())

    def note(self, action: str, detail: str) -> None:
        """Write what was done at a terminal of this machine into the audit log."""
        self._database.note(action, user=f"uid {os.getuid()}", address="terminal", detail=detail)

    def any(self) -> bool:
        """Return whether there are users."""
        return bool(self._database.rows("SELECT 1 FROM user LIMIT 1"))

    def add(self, name: str, role: Role, password: str) -> None:
        """Add a user, or give it another role and password; its sessions end.

        Raises:
            ConfigError: Name or password will not do.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"a user is called by 1 to 64 of a–z, 0–9 and . _ - @, and not {name!r}"
            )
        if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
            raise ConfigError(
                f"a password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters, "
                f"this one {len(password)}"
            )
        hashed = self._hasher.hash(password)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM session WHERE user = ?", (name,))
            connection.execute(
                "INSERT INTO user VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
                " role = excluded.role, password_hash = excluded.password_hash",
                (name, role.name.lower(), hashed, now()),
            )

    def remove(self, name: str) -> None:
        """Remove a user with its sessions and tokens; its reviews stay.

        Raises:
            ConfigError: There is none of that name.
        """
        if not self._database.rows("DELETE FROM user WHERE name = ? RETURNING name", name):
            raise _unknown(name)

    def all(self) -> list[tuple[str, Role, str, list[str]]]:
        """Return name, role, when it was added and labels of its tokens, of each user."""
        users = self._database.rows("SELECT name, role, added_at FROM user ORDER BY name")
        labels: dict[str, list[str]] = {}
        for row in self._database.rows("SELECT user, label FROM token ORDER BY user, label"):
            labels.setdefault(row["user"], []).append(row["label"])
        return [
            (u["name"], Role[u["role"].upper()], u["added_at"], labels.get(u["name"], []))
            for u in users
        ]

    def is_password(self, name: str, password: str) -> bool:
        """Return whether this is the password of a user; it takes as long where there is none."""
        rows = self._database.rows("SELECT password_hash FROM user WHERE name = ?", name)
        hashed = rows[0]["password_hash"] if rows else self._nobody
        with self._slots:
            try:
                self._hasher.verify(hashed, password)
            except (VerificationError, InvalidHashError):
                return False
        return bool(rows)

    def open_session(self, name: str) -> str:
        """Begin a session and return what the browser is to bring: signed, and known to no file."""
        word = secrets.token_urlsafe(32)
        self._database.rows(
            "INSERT INTO session VALUES (?, ?, ?)", _digest(word), name, int(time.time())
        )
        return f"{word}.{self.signature('session', word)}"

    def close_session(self, session: str) -> None:
        """End a session by its digest."""
        self._database.rows("DELETE FROM session WHERE digest = ?", session)

    def close_sessions(self, name: str) -> None:
        """End all sessions of a user."""
        self._database.rows("DELETE FROM session WHERE user = ?", name)

    def of_session(self, cookie: str) -> Identity | None:
        """Return who brings this cookie, if it is good."""
        word, _, signature = cookie.partition(".")
        if not self.is_signed("session", word, signature):
            return None
        digest, at_s = _digest(word), int(time.time())
        rows = self._database.rows(
            "SELECT name, role, used_s FROM session JOIN user ON user = name WHERE digest = ?",
            digest,
        )
        if not rows:
            return None
        if at_s - rows[0]["used_s"] > self._session_s:
            self.close_session(digest)
            return None
        if at_s - rows[0]["used_s"] > _TOUCH_S:
            self._database.rows("UPDATE session SET used_s = ? WHERE digest = ?", at_s, digest)
        return Identity(user=rows[0]["name"], role=Role[rows[0]["role"].upper()], session=digest)

    def add_token(self, name: str, label: str) -> str:
        """Make a token for a machine that acts as a user, and return it; nobody sees it again.

        A token of the same label is replaced.

        Raises:
            ConfigError: There is no such user.
        """
        if not self._database.rows("SELECT 1 FROM user WHERE name = ?", name):
            raise _unknown(name)
        token = TOKEN_MARK + secrets.token_urlsafe(32)
        with self._database.transaction() as connection:
            which = (name, label)
            connection.execute("DELETE FROM token WHERE user = ? AND label = ?", which)
            values = (_digest(token), name, label, now())
            connection.execute("INSERT INTO token VALUES (?, ?, ?, ?)", values)
        return token

    def remove_token(self, name: str, label: str) -> None:
        """Take a token back.

        Raises:
            ConfigError: The user has none of that label.
        """
        if not self._database.rows(
            "DELETE FROM token WHERE user = ? AND label = ? RETURNING label", name, label
        ):
            raise ConfigError(
                f"{name} has no token {label!r}: see them with 'stripscan users list'"
            )

    def of_token(self, token: str) -> Identity | None:
        """Return as whom a machine acts that brings this token, if it is good."""
        rows = self._database.rows(
            "SELECT name, role FROM token JOIN user ON user = name WHERE digest = ?",
            _digest(token),
        )
        if not rows:
            return None
        return Identity(user=rows[0]["name"], role=Role[rows[0]["role"].upper()])

    def signature(self, purpose: str, word: str) -> str:
        """Return what only this page can have signed a word with."""
        return hmac.new(self._key, f"{purpose}:{word}".encode(), hashlib.sha256).hexdigest()

    def is_signed(self, purpose: str, word: str, signature: str) -> bool:
        """Return whether a signature is that of a word; it tells nothing by its time."""
        expected = self.signature(purpose, word).encode()
        return hmac.compare_digest(expected, signature.encode())


def _digest(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def _unknown(name: str) -> ConfigError:
    return ConfigError(f"there is no user {name}: see them with 'stripscan users list'")
