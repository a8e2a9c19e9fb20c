"""The live page in a real browser, over a real station and a real server."""

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.cli.program import start
from stripscan.runtime.store import Store
from stripscan.runtime.web.accounts import Accounts
from stripscan.runtime.web.database import WebDatabase
from stripscan.runtime.web.reviews import Reviews
from stripscan.runtime.web.roles import Role
from unit.runtime.web_samples import PASSWORD, put_coil

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.debian("chromium")

CHROMIUM = "/usr/bin/chromium"
WAIT_MS = 30_000

STATION = """\
name = "line 1"
[camera]
mm_per_px = 0.5
mm_per_line = 0.5
[coil]
control = "commands"
[source]
kind = "simulator"
width_px = 512
length_m = 3000.0
seed = 3
defects_per_class = 900
pace = true
speed_m_s = 0.25
[store]
path = "line.db"
[control]
address = "127.0.0.1:{control}"
[web]
address = "127.0.0.1:{web}"
"""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class Mill:
    """A station and its live page, each a process that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.control, self.web = free_port(), free_port()
        self.file = folder / "station.toml"
        self.file.write_text(STATION.format(control=self.control, web=self.web), "utf-8")
        with Store.open(folder / "line.db") as store:
            put_coil(store, "C-big", defects=5000, pictures=False)
            put_coil(store, "C-small", defects=12)
        self.database = WebDatabase(folder / "web.db")
        accounts = Accounts(self.database, session_hours=1)
        accounts.add("eva", Role.ENGINEER, PASSWORD)
        self.url = f"http://127.0.0.1:{self.web}"
        self.parts: dict[str, subprocess.Popen[str]] = {}
        for part in ("run", "serve"):
            self.start(part)

    def start(self, part: str) -> None:
        self.parts[part] = start(part, self.file, "--log-level", "ERROR", cwd=self.folder)
        if part == "serve":
            assert self.parts[part].stdout is not None
            assert self.parts[part].stdout.readline().strip() == self.url

    def kill(self, part: str) -> None:
        self.parts[part].kill()
        self.parts[part].communicate()

    def start_coil(self, coil: str) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.control}/coils",
            data=json.dumps({"id": coil, "length_m": 50}).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - http

    def close(self) -> None:
        for part in self.parts.values():
            part.send_signal(signal.SIGTERM)
        for part in self.parts.values():
            try:
                part.communicate(timeout=15)
            except subprocess.TimeoutExpired:
                part.kill()
                part.communicate()


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    made = Mill(tmp_path_factory.mktemp("mill"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def context(mill: Mill) -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        made = browser.new_context(locale="en-GB", viewport={"width": 1600, "height": 900})
        made.set_default_timeout(WAIT_MS)
        yield made
        browser.close()


@pytest.fixture
def page(context: Any, mill: Mill) -> Iterator[Any]:
    """A page of somebody who has logged in; whatever it complains of fails the test."""
    made = context.new_page()
    complaints: list[str] = []
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on(
        "console",
        lambda said: (
            complaints.append(said.text)
            if said.type == "error"
            and "Failed to load resource" not in said.text
            and "ERR_" not in said.text
            else None
        ),
    )
    made.goto(mill.url)
    if made.url.endswith("/login"):
        made.fill("[name=user]", "eva")
        made.fill("[name=password]", "wrong password")
        made.keyboard.press("Enter")
        playwright.expect(made.locator("#wrong")).to_have_text("User or password is wrong.")
        made.fill("[name=password]", PASSWORD)
        made.keyboard.press("Enter")
        made.wait_for_url(f"{mill.url}/")
    yield made
    made.close()
    assert complaints == []


def expect(page: Any, selector: str) -> Any:
    return playwright.expect(page.locator(selector))


def until(page: Any, script: str) -> None:
    """Wait for something on a page; its policy lets playwright's own waiting evaluate nothing."""
    limit_s = time.monotonic() + WAIT_MS / 1000
    while not page.evaluate(script):
        assert time.monotonic() < limit_s, script
        page.wait_for_timeout(50)


GREYS = """() => {
  const { width, height } = document.getElementById("strip");
  const { data } = document.getElementById("strip").getContext("2d")
    .getImageData(0, 0, width, height);
  return new Set(data.filter((_, i) => i % 4 === 0)).size;
}"""


def test_a_coil_is_seen_while_it_runs_and_through_every_restart(page: Any, mill: Mill) -> None:
    expect(page, "#state").to_have_text("ready, no coil", timeout=60_000)
    mill.start_coil("L-1")
    expect(page, "#coil-id").to_have_text("L-1", timeout=WAIT_MS)
    expect(page, "body[data-live=true]").to_be_visible(timeout=WAIT_MS)
    expect(page, "#latest .figure svg path.outline").not_to_have_count(0, timeout=WAIT_MS)
    until(page, f"({GREYS})() > 20")
    length = "Number(document.getElementById('length').textContent)"
    before = page.evaluate(length)
    until(page, f"{length} > {before}")

    mill.kill("run")
    expect(page, "#alarms").to_contain_text("The station does not answer", timeout=WAIT_MS)
    expect(page, "body[data-live=false]").to_be_visible(timeout=WAIT_MS)
    mill.start("run")
    expect(page, "#alarms").not_to_contain_text("does not answer", timeout=60_000)
    expect(page, "#state").to_have_text("ready, no coil", timeout=60_000)
    mill.start_coil("L-2")
    expect(page, "#coil-id").to_have_text("L-2", timeout=WAIT_MS)

    mill.kill("serve")
    expect(page, "#link").to_have_text("connection lost, trying again", timeout=WAIT_MS)
    mill.start("serve")
    expect(page, "#link").to_have_text("live", timeout=WAIT_MS)
    assert page.url == f"{mill.url}/", "the session outlived the server"


def test_a_coil_of_5000_defects_is_filtered_and_scrolled(page: Any, mill: Mill) -> None:
    page.goto(f"{mill.url}/coil?id=C-big")
    expect(page, "body[data-drawn='5000']").to_be_visible()
    expect(page, "#grade").to_have_text("hold")
    expect(page, "#coverage").to_contain_text("40.00 – 42.00 m dropped: lost lines")
    page.get_by_role("button", name="Scratches").click()
    expect(page, "body[data-drawn='4167']").to_be_visible()
    expect(page, "#count").to_have_text("4,167")
    page.get_by_role("button", name="critical").click()
    expect(page, "body[data-drawn='3333']").to_be_visible()
    page.fill("#from", "10")
    page.fill("#to", "20")
    page.keyboard.press("Tab")
    until(page, "document.getElementById('count').textContent.length < 4")
    page.click("#clear")
    expect(page, "body[data-drawn='5000']").to_be_visible()
    expect(page, "#count").to_have_text("5,000")
    page.focus("#list")
    page.keyboard.press("End")
    expect(page, "#list [aria-selected=true]").to_contain_text("5000")
    assert page.locator("#list .row").count() < 60
    expect(page, "#one").to_contain_text("№ 5000")
    page.focus("#map")
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    assert float(page.input_value("#from")) > 0
    page.keyboard.press("0")
    assert float(page.input_value("#to")) == 100


def test_history_finds_coils(page: Any, mill: Mill) -> None:
    page.goto(f"{mill.url}/history")
    page.fill("[name=search]", "c-sm")
    expect(page, "#coils tr").to_have_count(1)
    page.get_by_role("link", name="C-small").click()
    expect(page, "#coil-id").to_have_text("C-small")


def test_defects_are_reviewed_by_keyboard_alone(page: Any, mill: Mill) -> None:
    page.goto(f"{mill.url}/review?id=C-small")
    expect(page, "#progress").to_have_text("0 of 12 reviewed")
    said: list[tuple[int, str]] = []
    for count, (key, verdict) in enumerate(
        (("c", "confirm"), ("2", "reclass"), ("r", "reject")), 1
    ):
        expect(page, "#picture svg").to_be_visible()
        said.append((int(page.evaluate("document.body.dataset.shown")), verdict))
        page.keyboard.press(key)
        expect(page, "#progress").to_have_text(f"{count} of 12 reviewed")
        until(page, f"document.body.dataset.shown !== '{said[-1][0]}'")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("u")
    expect(page, "#progress").to_have_text("2 of 12 reviewed")
    page.keyboard.press("m")
    assert not page.is_checked("#outline")
    kept = Reviews(mill.database).of_coil("C-small")
    assert {n: review.verdict for n, review in kept.items()} == dict(said[:2])
    assert kept[said[1][0]].class_name == "inclusion"
    with page.expect_download() as fetched:
        page.click("#export")
    assert Path(fetched.value.path()).read_bytes()[:2] == b"PK"


@pytest.mark.parametrize("path", ["/", "/coil?id=C-small", "/history", "/review?id=C-small"])
def test_each_control_has_a_name_and_is_reached_by_keyboard(
    page: Any, mill: Mill, path: str
) -> None:
    page.goto(mill.url + path)
    page.wait_for_load_state("load")
    page.wait_for_timeout(500)
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    controls = [
        node
        for node in tree
        if not node.get("ignored")
        and node.get("role", {}).get("value")
        in {*("button", "link", "textbox", "combobox", "checkbox", "searchbox", "spinbutton")}
        | {*("grid", "application", "image", "img", "navigation")}
    ]
    assert len(controls) > 6
    nameless = [
        n["role"]["value"] for n in controls if not n.get("name", {}).get("value", "").strip()
    ]
    assert nameless == []
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        now = page.evaluate(
            """() => {
              const e = document.activeElement, s = getComputedStyle(e);
              return [e.id || e.textContent.trim().slice(0, 20) || e.name || e.tagName,
                s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2,
                e === document.body];
            }"""
        )
        if now[2]:
            break
        reached.append(now[0])
        assert now[1], f"focus cannot be seen on {now[0]}"
    assert reached[0] == "Skip to content"
    assert {"language", "theme", "logout"} <= set(reached)
    headings = page.evaluate("[...document.querySelectorAll('h1')].length")
    assert headings == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_page_holds_still_for_whoever_wants_it_to(page: Any, mill: Mill) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(mill.url)
    mill.kill("run")
    seen = page.get_by_role("listitem").filter(has_text="The station does not answer")
    seen.wait_for(timeout=WAIT_MS)
    assert page.evaluate("document.getAnimations().length") == 0
    seen.get_by_role("button", name="Acknowledge").click()
    playwright.expect(seen).to_contain_text("seen by eva", timeout=WAIT_MS)
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.select_option("#language", "de")
    expect(page, "#map-title").to_have_text("Coilkarte")
    page.select_option("#language", "en")
