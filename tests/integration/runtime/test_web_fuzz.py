"""Whatever is sent to the live page, it answers, and never with a fault of its own."""

import asyncio
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from starlette.testclient import TestClient

from stripscan.runtime.web.gate import is_open
from stripscan.runtime.web.roles import Role
from unit.runtime.web_samples import PASSWORD, an_app

ENDLESS = "/api/live"
"""The one route whose answer has no end; its query is checked like that of all others."""

FEW = settings(
    max_examples=8,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)
RAW = settings(max_examples=200, derandomize=True, database=None)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    app = an_app(tmp_path_factory.mktemp("page"))
    accounts = app.state.context.accounts
    accounts.add("eva", Role.ENGINEER, PASSWORD)
    made = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
    made.headers["Authorization"] = f"Bearer {accounts.add_token('eva', 'fuzz')}"
    return made


def test_no_request_that_the_schema_can_think_of_is_a_fault(client: TestClient) -> None:
    schema = schemathesis.openapi.from_dict(client.get("/api/openapi.json").json())
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == ENDLESS:
            continue
        for mode in GenerationMode:

            @FEW
            @given(case=operation.as_strategy(generation_mode=mode))
            def send(case: schemathesis.Case) -> None:
                nonlocal asked
                sent = case.as_transport_kwargs()
                answer = client.request(
                    case.method,
                    sent["url"].replace("http://testserver", "").replace("http://localhost", "")
                    or "/",
                    params=sent.get("params"),
                    json=sent.get("json"),
                    content=sent.get("data"),
                )
                asked += 1
                assert answer.status_code < 500, (case.method, sent, answer.text)

            with suppress(Unsatisfiable):  # a route without parameters cannot be asked wrongly
                send()
    assert asked > 100


TEXT = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60)


@RAW
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "BREW"]),
    path=st.one_of(
        st.sampled_from(["/", "/coil", "/static/", "/api/coil", "/api/reviews", "/api/login"]), TEXT
    ),
    query=TEXT,
    cookie=TEXT,
    token=TEXT,
    length=st.sampled_from(["", "0", "7", "-1", "1e3", "9" * 30, "ä"]),
    body=st.binary(max_size=40),
)
def test_no_malformed_request_is_a_fault_or_gets_in(
    client: TestClient,
    *,
    method: str,
    path: str,
    query: str,
    cookie: str,
    token: str,
    length: str,
    body: bytes,
) -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    headers = {"cookie": f"stripscan={cookie}", "authorization": token, "content-length": length}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
        "method": method,
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
        "client": ("10.0.0.1", 5),
        "server": ("line", 80),
        "scheme": "http",
        "root_path": "",
    }
    asyncio.run(client.app(scope, receive, send))  # type: ignore[arg-type, func-returns-value]
    status = sent[0]["status"]
    assert isinstance(status, int)
    assert status < 500
    assert is_open(path) or status >= 300
