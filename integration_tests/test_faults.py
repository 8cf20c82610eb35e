"""Faults of real services, gateways and networks, over real sockets."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from integration_tests.conftest import StartSandbox
from integration_tests.harness import QUICK, check, config, failures, ids, read, rows
from sandbox import Sandbox
from sandbox.data import BUFFERED_ID, OLDER_ID, STREAMS, TODAYS_ID, phone_numbers

TRANSIENT = "transient_error"
# The faults that need a socket, and words of their errors.
FAULTS = {"reset": "connection lost", "hang": "timed out", "cut": "complete response"}
HASTY = replace(QUICK, max_attempts=2, read_timeout=1)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_one_id_and_one_list(start_sandbox: StartSandbox, fault: str) -> None:
    faults = {OLDER_ID: fault, "contacts": fault}
    start_sandbox(faults=faults, rows={"phone_numbers": phone_numbers(9)})
    output = read(config(TODAYS_ID, OLDER_ID, BUFFERED_ID), policy=HASTY)
    found = failures(output)
    assert found.keys() == {"", "message_status", "contacts"}
    assert {kind for kind, _ in found.values()} == {TRANSIENT}
    assert all(FAULTS[fault] in found[name][1] for name in ("message_status", "contacts"))
    assert ids(output) == sorted([TODAYS_ID, BUFFERED_ID])
    assert len(rows(output, "phone_numbers")) == 9
    assert FAULTS[fault] in check(config(OLDER_ID), HASTY)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_costs_no_row(start_sandbox: StartSandbox, fault: str) -> None:
    sandbox = start_sandbox(faults={OLDER_ID: f"{fault}:1", "contacts": f"{fault}:1"})
    output = read(config(TODAYS_ID, OLDER_ID), "message_status", "contacts", policy=HASTY)
    assert not failures(output)
    assert ids(output) == sorted([TODAYS_ID, OLDER_ID])
    assert rows(output, "contacts") == rows(read(config(), "contacts"), "contacts")
    assert sandbox.requests("/messaging") == 3


def test_pages_survive_faults(start_sandbox: StartSandbox) -> None:
    numbers = phone_numbers(7500)
    faults = ["503", "", "cut", "reset", "", "html", "empty"]
    start_sandbox(
        rows={"phone_numbers": numbers}, chaos=lambda _, n: faults[n - 1] if n < 7 else None
    )
    output = read(config(), "phone_numbers")
    assert not failures(output)
    assert rows(output, "phone_numbers") == numbers


@pytest.fixture
def port() -> Iterator[int]:
    """A port that refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_a_refused_connection_fails_every_stream(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TYNTEC_API_URL", f"http://127.0.0.1:{port}")
    found = failures(read(config()))
    assert found.keys() == {"", *STREAMS}
    assert {kind for kind, _ in found.values()} == {TRANSIENT}
    found.pop("")
    assert all(f"127.0.0.1:{port}" in words for _, words in found.values())
    assert all("connection refused" in words for _, words in found.values())
    assert "connection refused" in check(config())


def test_a_connection_without_tls_gets_no_key(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TYNTEC_API_URL", sandbox.url.replace("http:", "https:"))
    assert "secure connection" in check(config())
    assert not sandbox.received


def test_a_proxy_for_https_sees_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.delenv("TYNTEC_API_URL", raising=False)
        for name in ("https_proxy", "NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert check(
            config(), replace(QUICK, max_attempts=1, read_timeout=0.2, connect_timeout=0.5)
        )
        connection, _ = proxy.accept()
        with connection:
            received = connection.recv(10_000)
    assert received.startswith(b"CONNECT api.tyntec.com:443 ")
    assert b"key" not in received
