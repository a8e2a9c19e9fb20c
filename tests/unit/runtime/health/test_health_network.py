from pathlib import Path

from stripscan.runtime.health.network import network_findings
from unit.runtime.health.made_machine import machine, verdicts

ROUTE = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
office\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
camera\t0000FEA9\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0"""

SNMP = """Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
Udp: 5883 0 9 5888 {lost} 0"""


def card(name: str, **values: object) -> dict[str, object]:
    """Return the files of an Ethernet card that is up, with some values of its own."""
    usual: dict[str, object] = {"type": 1, "operstate": "up", "mtu": 9000, "speed": 1000}
    files = {f"sys/class/net/{name}/{key}": value for key, value in (usual | values).items()}
    return {f"sys/class/net/{name}/device/": "", **files}


def tuned() -> dict[str, object]:
    return {
        **card("camera"),
        "proc/net/route": ROUTE,
        "proc/net/snmp": SNMP.format(lost=0),
        "proc/sys/net/core/rmem_max": 33554432,
    }


def test_a_tuned_machine_is_fine(tmp_path: Path) -> None:
    found = verdicts(network_findings(machine(tmp_path, tuned())))
    assert found == {"network camera": "ok", "socket buffer": "ok"}


def test_the_usual_mtu_is_warned_of_but_not_where_it_would_cut_the_machine_off(
    tmp_path: Path,
) -> None:
    root = machine(tmp_path, tuned() | card("camera", mtu=1500) | card("office", mtu=1500))
    findings = {finding.what: finding for finding in network_findings(root)}
    assert "sudo ip link set camera mtu 9000" in findings["network camera"].remedy
    assert findings["network office"].verdict == "ok"
    assert "MTU 1500, 1,000 Mbit/s; it has the default route" in findings["network office"].detail


def test_only_wired_cards_that_are_up_count(tmp_path: Path) -> None:
    files = card("down", operstate="down") | card("wlan0", mtu=1500) | card("lo", type=772)
    files |= {"sys/class/net/wlan0/phy80211/": "", "sys/class/net/veth1/operstate": "up"}
    files |= {"proc/sys/net/core/rmem_max": 67108864}
    found = verdicts(network_findings(machine(tmp_path, files)))
    assert found == {"network": "ok", "socket buffer": "ok"}


def test_a_slow_link_is_told(tmp_path: Path) -> None:
    (slow, _) = network_findings(machine(tmp_path, tuned() | card("camera", speed=100)))
    assert (slow.verdict, slow.detail) == ("warn", "MTU 9000, 100 Mbit/s")
    assert "1,000 Mbit/s" in slow.remedy


def test_a_small_socket_buffer_comes_with_the_line_that_raises_it(tmp_path: Path) -> None:
    root = machine(tmp_path, tuned() | {"proc/sys/net/core/rmem_max": 33554431})
    buffer = next(f for f in network_findings(root) if f.what == "socket buffer")
    assert buffer.verdict == "warn"
    assert "sudo sysctl -w net.core.rmem_max=33554432" in buffer.remedy
    assert "tee /etc/sysctl.d/60-stripscan.conf" in buffer.remedy


def test_what_cannot_be_seen_is_not_fine(tmp_path: Path) -> None:
    assert verdicts(network_findings(tmp_path)) == {"network": "ok", "socket buffer": "warn"}


def test_lost_packets_are_told_with_the_place_where_they_were_lost(tmp_path: Path) -> None:
    lost = {
        "sys/class/net/camera/statistics/rx_missed_errors": 7,
        "sys/class/net/camera/statistics/rx_fifo_errors": 1500,
        "proc/net/snmp": SNMP.format(lost=41),
    }
    findings = {f.what: f for f in network_findings(machine(tmp_path, tuned() | lost))}
    assert findings["receive ring camera"].detail.startswith("1,507 packets")
    assert "sudo ethtool -G camera rx" in findings["receive ring camera"].remedy
    assert findings["datagrams"].detail.startswith("41 ")
    assert findings["datagrams"].verdict == "warn"
