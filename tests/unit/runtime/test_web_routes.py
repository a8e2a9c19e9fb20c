"""The live page over HTTP: who gets what, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from stripscan.runtime.web.accounts import Accounts
from stripscan.runtime.web.gate import CONTENT_POLICY, is_open
from stripscan.runtime.web.limits import PER_ACCOUNT
from stripscan.runtime.web.roles import Role
from unit.runtime.web_samples import PASSWORD, an_app, log_in, token_in

REVIEW = {"coil": "C-1", "number": 1, "verdict": "confirm"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    made = an_app(tmp_path_factory.mktemp("page"), coils=("C-1", "C-2/../ä"))
    for role in Role:
        accounts_of(made).add(role.name.lower(), role, PASSWORD)
    return made


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    # Without its lifespan, so that nothing looks for a station.
    yield TestClient(app, follow_redirects=False, raise_server_exceptions=False)


def accounts_of(app: FastAPI) -> Accounts:
    accounts: Accounts = app.state.context.accounts
    return accounts


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    found = [
        (method, route.path)
        for route in app.router.routes
        for method in getattr(route, "methods", None) or ()
        if hasattr(route, "path")
    ]
    assert found, "no routes were found"
    return found


def every_route(app: FastAPI) -> list[tuple[str, str]]:
    """Return all routes, those of included routers as well."""
    schema = app.openapi()["paths"]
    known = {(m.upper(), path) for path, methods in schema.items() for m in methods}
    pages = {("GET", path) for path in ("/", "/coil", "/history", "/review", "/api/openapi.json")}
    return sorted(known | pages | {r for r in routes_of(app) if "{" not in r[1]})


def test_every_route_refuses_whoever_has_not_logged_in(app: FastAPI, client: TestClient) -> None:
    closed = [(method, path) for method, path in every_route(app) if not is_open(path)]
    assert len(closed) > 15
    for method, path in closed:
        for headers in ({}, {"Cookie": "stripscan=a.b"}, {"Authorization": "Bearer strw_no"}):
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == (401 if path.startswith("/api/") else 303), path
            assert "C-1" not in answer.text
    assert client.get("/no/such/page").status_code == 303
    assert client.get("/api/no/such").status_code == 401


def test_each_role_may_do_what_it_may(app: FastAPI, client: TestClient) -> None:
    asked = {
        "/api/coils": Role.VIEWER,
        "/api/reviews": Role.REVIEWER,
        "/api/alarms/seen": Role.REVIEWER,
        "/api/relabel": Role.ENGINEER,
        "/api/audit": Role.ENGINEER,
    }
    for role in Role:
        one = TestClient(app)
        assert log_in(one, role.name.lower()) == 204
        for path, least in asked.items():
            bodies = {"/api/reviews": REVIEW, "/api/alarms/seen": {"alarm": "hold:C-1"}}
            body = bodies.get(path)
            answer = one.post(path, json=body) if body else one.get(path)
            assert (answer.status_code < 300) == (role >= least), (role, path, answer.text)
            if role < least:
                assert answer.status_code == 403
    log = one.get("/api/audit").json()
    assert {"login", "review", "alarm seen", "relabel set taken out"} <= {e["action"] for e in log}
    assert PASSWORD not in str(log)


def test_a_post_without_the_token_of_its_page_is_refused(app: FastAPI, client: TestClient) -> None:
    assert log_in(client, "reviewer") == 204
    mine = client.headers.pop("X-CSRF-Token")
    other = TestClient(app)
    assert log_in(other, "reviewer") == 204
    for token in ("", "0" * 64, other.headers["X-CSRF-Token"], "ä"):
        headers = {"X-CSRF-Token": token.encode()}
        answer = client.post("/api/reviews", json=REVIEW, headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 403
    assert client.post("/api/reviews", json=REVIEW, headers={"X-CSRF-Token": mine}).is_success


def test_a_login_needs_its_page_and_the_right_password(client: TestClient) -> None:
    body = {"user": "viewer", "password": PASSWORD}
    assert client.post("/api/login", json=body).status_code == 403
    token = token_in(client.get("/login").text)
    client.cookies.clear()
    client.cookies.set("stripscan_login", "another")
    answer = client.post("/api/login", json=body, headers={"X-CSRF-Token": token})
    assert answer.status_code == 403
    client.cookies.clear()
    assert log_in(client, "viewer", "wrong password") == 403
    assert log_in(client, "nobody", PASSWORD) == 403
    page = client.get("/login")
    answer = client.post("/api/login", json=body, headers={"X-CSRF-Token": token_in(page.text)})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.get("/history").status_code == 200
    assert client.post("/api/logout", headers={"X-CSRF-Token": "0"}).status_code == 403


def test_an_account_that_is_tried_too_often_is_closed_for_a_while(client: TestClient) -> None:
    for _ in range(PER_ACCOUNT):
        assert log_in(client, "engineer", "wrong password") == 403
    page = client.get("/login")
    answer = client.post(
        "/api/login",
        json={"user": "engineer", "password": PASSWORD},
        headers={"X-CSRF-Token": token_in(page.text)},
    )
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 301


def test_logging_out_ends_the_session_everywhere(app: FastAPI, client: TestClient) -> None:
    assert log_in(client, "viewer") == 204
    kept = client.cookies["stripscan"]
    assert client.post("/api/logout").status_code == 204
    again = TestClient(app, cookies={"stripscan": kept})
    assert again.get("/api/me").status_code == 401


def test_a_machine_brings_a_token_in_place_of_a_cookie(app: FastAPI, client: TestClient) -> None:
    token = accounts_of(app).add_token("reviewer", "mes")
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/me", headers=headers).json()["role"] == "reviewer"
    assert client.post("/api/reviews", json=REVIEW, headers=headers).is_success


@pytest.fixture
def viewer(app: FastAPI, client: TestClient) -> TestClient:
    client.headers["Authorization"] = f"Bearer {accounts_of(app).add_token('viewer', 'test')}"
    return client


def test_every_answer_has_the_headers_that_keep_pages_apart(viewer: TestClient) -> None:
    for path in ("/", "/login", "/static/live.js", "/api/coils", "/api/none", "/api/coil?coil=x"):
        headers = viewer.get(path).headers
        assert headers["content-security-policy"] == CONTENT_POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
    report = viewer.get("/api/report", params={"coil": "C-1"})
    assert report.status_code == 200
    assert report.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in report.headers["content-security-policy"]
    page = viewer.get("/").text
    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert "://" not in page


@pytest.mark.parametrize(
    "name",
    [
        "../app.py",
        "..%2fapp.py",
        "%2e%2e/app.py",
        "....//app.py",
        "/etc/passwd",
        "live.js/../../app.py",
        "live.js%00",
    ],
)
def test_no_path_leads_out_of_the_files_of_the_pages(viewer: TestClient, name: str) -> None:
    answer = viewer.get(f"/static/{name}")
    assert answer.status_code == 404
    assert "import" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/coil?coil=../../web.db", 404),
        ("/api/coil?coil=%00", 404),
        ("/api/coil", 422),
        ("/api/map?coil=C-1&from_m=nan", 422),
        ("/api/map?coil=C-1&from_m=1e999", 422),
        ("/api/defects?coil=C-1&offset=-1", 422),
        ("/api/defects?coil=C-1&offset=99999999999999999999", 422),
        ("/api/defects?coil=C-1&sort=;drop", 422),
        ("/api/pictures?coil=C-1&number=" + "9" * 30, 422),
        ("/api/pictures?coil=C-1" + "&number=1" * 61, 422),
        ("/api/report?coil=C-1&kind=exe", 422),
        ("/api/coils?search=" + "a" * 200, 422),
    ],
)
def test_garbage_is_refused_with_a_reason(viewer: TestClient, path: str, status: int) -> None:
    answer = viewer.get(path)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


def test_garbage_in_a_body_is_refused(app: FastAPI, client: TestClient) -> None:
    client.headers["Authorization"] = f"Bearer {accounts_of(app).add_token('reviewer', 'bad')}"
    for body in (b"", b"{", b"[]", b'{"coil": 1}', b"\xff", b'{"alarm": "\\ud800"}', b"1e999"):
        answer = client.post(
            "/api/alarms/seen", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in {400, 422}, body
    assert client.post("/api/alarms/seen", content=b"a" * 20_000).status_code == 413
    chunked = client.post("/api/alarms/seen", content=iter([b"a"]))
    assert chunked.status_code == 411
    for review, status in (
        ({"number": 999}, 404),
        ({"coil": "none"}, 404),
        ({"verdict": "reclass", "class_name": "rust"}, 422),
    ):
        assert client.post("/api/reviews", json=REVIEW | review).status_code == status


def test_a_coil_is_found_whatever_it_is_called(viewer: TestClient) -> None:
    names = [c["id"] for c in viewer.get("/api/coils").json()["coils"]]
    assert names == ["C-2/../ä", "C-1"]
    found = viewer.get("/api/coil", params={"coil": "C-2/../ä"}).json()
    assert found["totals"]["dropped"]["metres"] == 2.0
    assert found["totals"]["inspected"]["percent"] == 98.0
    assert found["grading"]["reasons"][0]["text"] == "2.00 m were not inspected"
    searched = viewer.get("/api/coils", params={"search": "c-1", "grade": "hold"}).json()
    assert searched["total"] == 1
    day = {"since": "2026-11-20", "until": "2026-11-20"}
    assert viewer.get("/api/coils", params=day).json()["total"] == 2
    assert viewer.get("/api/coils", params={"since": "2026-11-21"}).json()["total"] == 0
    report = viewer.get("/api/report", params={"coil": "C-2/../ä", "kind": "csv"})
    assert "%2F..%2F" in report.headers["content-disposition"]


def test_filters_and_pages_agree_on_what_is_meant(viewer: TestClient) -> None:
    which = {"coil": "C-1", "severity": ["critical", "major"], "from_m": 20, "to_m": 80}
    mapped = viewer.get("/api/map", params=which).json()
    numbers = sorted(mapped["defects"]["number"])
    assert sum(mapped["density"]) == mapped["total"] == len(numbers) > 2
    seen: list[int] = []
    while True:
        page = viewer.get("/api/defects", params={**which, "offset": len(seen), "limit": 2}).json()
        assert page["total"] == len(numbers)
        if not page["defects"]:
            break
        seen += [d["number"] for d in page["defects"]]
        assert all(20 <= d["along_end_m"] <= 80.1 for d in page["defects"])
    assert seen == numbers
    large = viewer.get("/api/map", params={"coil": "C-1", "min_mm2": 10}).json()
    assert sorted(large["defects"]["number"]) == [9, 10, 11, 12]


def test_a_picture_comes_with_the_outline_of_its_mask(viewer: TestClient) -> None:
    found = viewer.get("/api/pictures", params={"coil": "C-1", "number": [3, 77]}).json()
    assert list(found) == ["3"]
    picture = found["3"]["picture"]
    assert picture["uri"].startswith("data:image/jpeg;base64,")
    assert picture["outline"].startswith("M")
    assert picture["first_line"] == found["3"]["first_line"] - 10


def test_a_store_that_is_gone_is_said_and_breaks_nothing(app: FastAPI, tmp_path: Path) -> None:
    made = an_app(tmp_path)
    accounts_of(made).add("eva", Role.VIEWER, PASSWORD)
    client = TestClient(made, raise_server_exceptions=False)
    client.headers["Authorization"] = f"Bearer {accounts_of(made).add_token('eva', 'test')}"
    (tmp_path / "line.db").rename(tmp_path / "away.db")
    answer = client.get("/api/coils")
    assert answer.status_code == 503
    assert "there is no store at" in answer.json()["detail"]
    assert client.get("/").status_code == 200


def test_a_page_speaks_the_language_of_its_reader(viewer: TestClient) -> None:
    german = viewer.get("/", headers={"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}).text
    assert '<html lang="de"' in german
    assert "Coilkarte" in german
    chosen = viewer.get("/", headers={"Accept-Language": "de", "Cookie": "stripscan_language=en"})
    assert '<html lang="en"' in chosen.text
    assert '<html lang="en"' in viewer.get("/", headers={"Accept-Language": "fr, xx;q=z"}).text


def test_files_are_sent_once(viewer: TestClient) -> None:
    first = viewer.get("/static/style.css")
    again = viewer.get("/static/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code) == (200, 304)
