"""Network cards and socket buffers, as GigE Vision wants them.

A line camera sends without a pause and waits for nobody: what finds no room is lost strip.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stripscan.runtime.health.finding import Finding
from stripscan.runtime.health.kernel_files import read, read_int

JUMBO_MTU: Final = 9000
RMEM_BYTES: Final = 32 * 2**20
"""A GigE camera fills it in 0.28 s, which outlasts any pause of the receiving thread."""

_ETHERNET: Final = 1  # ARPHRD_ETHER of linux/if_arp.h
_LEAST_MBIT_S: Final = 1000
_DEFAULT_ROUTE: Final = "00000000"
_RMEM_MAX: Final = "proc/sys/net/core/rmem_max"


def network_findings(root: Path) -> Iterator[Finding]:
    """Yield what is known of the cards that are up, and of the buffers behind them.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    uplinks = _uplinks(root)
    cards = [card for card in sorted(_folders(root / "sys/class/net")) if _is_up(root, card)]
    for card in cards:
        yield _card(root, card, uplink=card in uplinks)
        yield from _lost_in_card(root, card)
    if not cards:
        yield Finding(what="network", verdict="ok", detail="no network card is up")
    yield _socket_buffer(root)
    yield from _lost_in_sockets(root)


def _folders(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        yield from (entry.name for entry in folder.iterdir() if entry.is_dir())


def _is_up(root: Path, card: str) -> bool:
    """Return whether it is wired Ethernet hardware with a link."""
    folder = f"sys/class/net/{card}"
    return (
        (root / folder / "device").exists()
        and not (root / folder / "phy80211").exists()
        and read_int(root, f"{folder}/type") == _ETHERNET
        and read(root, f"{folder}/operstate") == "up"
    )


def _uplinks(root: Path) -> set[str]:
    """Return the cards with a default route."""
    rows = [line.split() for line in (read(root, "proc/net/route") or "").splitlines()[1:]]
    return {row[0] for row in rows if len(row) > 1 and row[1] == _DEFAULT_ROUTE}


def _card(root: Path, card: str, *, uplink: bool) -> Finding:
    folder = f"sys/class/net/{card}"
    mtu, speed = read_int(root, f"{folder}/mtu") or 0, read_int(root, f"{folder}/speed") or -1
    detail = f"MTU {mtu}" + (f", {speed:,} Mbit/s" if speed > 0 else "")
    if uplink:
        # Jumbo frames on the way to other networks would cut this machine off from them.
        detail += "; it has the default route: give a camera a card of its own"
    remedies = []
    if mtu < JUMBO_MTU and not uplink:
        remedies.append(
            f"for a GigE camera: sudo ip link set {card} mtu {JUMBO_MTU}, and the same in the "
            "network's configuration; the camera and a switch must take it too"
        )
    if 0 < speed < _LEAST_MBIT_S and not uplink:
        remedies.append(f"a GigE camera needs {_LEAST_MBIT_S:,} Mbit/s: change cable or switch")
    return Finding(
        what=f"network {card}",
        verdict="warn" if remedies else "ok",
        detail=detail,
        remedy="; ".join(remedies),
    )


def _lost_in_card(root: Path, card: str) -> Iterator[Finding]:
    counters = (f"sys/class/net/{card}/statistics/rx_{kind}_errors" for kind in ("missed", "fifo"))
    lost = sum(read_int(root, counter) or 0 for counter in counters)
    if lost:
        yield Finding(
            what=f"receive ring {card}",
            verdict="warn",
            detail=f"{lost:,} packets found no room in the card since it came up",
            remedy=f"see its limits with: ethtool -g {card}; then, with the largest: "
            f"sudo ethtool -G {card} rx 4096",
        )


def _socket_buffer(root: Path) -> Finding:
    what, limit = "socket buffer", read_int(root, _RMEM_MAX)
    if limit is None:
        return Finding(
            what=what,
            verdict="warn",
            detail="net.core.rmem_max cannot be seen from here",
            remedy="look on the host of this container: sysctl net.core.rmem_max",
        )
    small = limit < RMEM_BYTES
    return Finding(
        what=what,
        verdict="warn" if small else "ok",
        detail=f"net.core.rmem_max is {limit / 2**20:.1f} MiB; "
        f"a GigE camera wants {RMEM_BYTES // 2**20} MiB",
        remedy=_raise_rmem() if small else "",
    )


def _raise_rmem() -> str:
    return (
        f"sudo sysctl -w net.core.rmem_max={RMEM_BYTES}; to keep it: "
        f"echo 'net.core.rmem_max = {RMEM_BYTES}' | sudo tee /etc/sysctl.d/60-stripscan.conf"
    )


def _lost_in_sockets(root: Path) -> Iterator[Finding]:
    """Yield a finding where datagrams were lost; the counter is ``RcvbufErrors`` of UDP."""
    rows = [line.split() for line in (read(root, "proc/net/snmp") or "").splitlines()]
    udp = [row[1:] for row in rows if row and row[0] == "Udp:"]
    if len(udp) != 2:
        return
    lost = int(dict(zip(udp[0], udp[1], strict=False)).get("RcvbufErrors", "0"))
    if lost:
        yield Finding(
            what="datagrams",
            verdict="warn",
            detail=f"{lost:,} found a full socket buffer since this machine was started",
            remedy=f"where the number grows while a camera runs: {_raise_rmem()}",
        )
