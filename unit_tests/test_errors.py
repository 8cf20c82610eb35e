"""Every HTTP status and every failure of the network: retried or not, failure type, key phrase."""

import re

import pytest
from requests import exceptions
from requests_mock import Mocker

from source_tyntec_sms.errors import BY_PHRASE
from unit_tests import tyntec
from unit_tests.helpers import FAST, LOGGER, config, error, rows, source, sync
from unit_tests.tyntec import HTML, Reply, gateway, problem

CONFIG, SYSTEM, TRANSIENT = "config_error", "system_error", "transient_error"
PYTHON = re.compile(r"[{}<>]|\bNone\b|Error\b|Exception\b|\('|\['")
KEY_SETTING = "Check the setting 'Tyntec API Key'"

Row = tuple[Reply, str, str]
RESPONSES: list[Row] = [
    (gateway(401, "No API key found in request"), CONFIG, KEY_SETTING),
    (gateway(401, "Duplicate API key found"), CONFIG, "HTTP 401 (Duplicate API key found)"),
    (tyntec.REJECTED, CONFIG, KEY_SETTING),
    ({"status_code": 403, "text": HTML}, CONFIG, KEY_SETTING),
    (gateway(403, "Your IP address is not allowed"), CONFIG, "those of Airbyte Cloud"),
    (gateway(403, "You cannot consume this service"), CONFIG, "The API key works"),
    (tyntec.NO_ROUTE, CONFIG, "Deselect this stream"),
    (gateway(429, "Limit", Retry_After="3600"), TRANSIENT, "resets in"),
    *(({"status_code": code}, SYSTEM, "does not follow redirects") for code in (300, 302, 308)),
    *(
        (gateway(code, "What?"), SYSTEM, f"tyntec refused the request: HTTP {code} (What?)")
        for code in (400, 402, 404, 405, 410, 415, 416, 422, 451)
    ),
    *(
        ({"status_code": code}, TRANSIENT, f"tyntec failed with HTTP {code}")
        for code in (202, 206, 408, 500, 502, 503, 504, 599, 600)
    ),
    (problem(500, "Sorry"), TRANSIENT, "HTTP 500 (Sorry)"),
    # A page of a proxy, whose next node may have the response.
    *(
        ({"status_code": code, "text": HTML}, TRANSIENT, f"HTTP {code} (no JSON object)")
        for code in (200, 400, 404, 410, 416, 422)
    ),
    ({"text": ""}, TRANSIENT, "HTTP 200 (no JSON object)"),
    ({"text": "null"}, TRANSIENT, "HTTP 200 (no JSON object)"),
    ({"text": '{"requestId": "id-'}, TRANSIENT, "HTTP 200 (no JSON object)"),
]
CONNECT = "Could not connect to https://api.tyntec.com: "
NETWORK: list[Row] = [
    ({"exc": exceptions.SSLError("certificate verify failed")}, TRANSIENT, "the certificates"),
    ({"exc": exceptions.ConnectTimeout("timed out")}, TRANSIENT, f"{CONNECT}timed out"),
    ({"exc": exceptions.ConnectionError("refused")}, TRANSIENT, f"{CONNECT}connection refused"),
    ({"exc": exceptions.ConnectionError("resolve")}, TRANSIENT, f"{CONNECT}DNS lookup failed"),
    ({"exc": exceptions.ConnectionError("reset")}, TRANSIENT, f"{CONNECT}connection lost"),
    ({"exc": exceptions.ProxyError("refused")}, TRANSIENT, f"{CONNECT}connection refused"),
    ({"exc": exceptions.ReadTimeout("Read timed out.")}, TRANSIENT, "timed out"),
    ({"exc": exceptions.ChunkedEncodingError()}, TRANSIENT, "connection lost"),
    ({"exc": exceptions.ContentDecodingError()}, TRANSIENT, "complete"),
    ({"exc": exceptions.InvalidProxyURL("Please check")}, CONFIG, "the proxy in HTTPS_PROXY"),
    ({"exc": exceptions.InvalidSchema("Missing SOCKS")}, CONFIG, "the proxy in HTTPS_PROXY"),
]
ALL = pytest.mark.parametrize(("reply", "failure_type", "phrase"), RESPONSES + NETWORK)


@pytest.mark.parametrize("name", ["message_status", "contacts"])
@ALL
def test_a_failure_fails_its_stream(
    api: Mocker, name: str, reply: Reply, failure_type: str, phrase: str
) -> None:
    api.get(tyntec.STREAMS[name], **reply)
    found, message = error(sync(streams=(name,)))
    assert found == failure_type
    assert phrase in message
    assert not PYTHON.search(message)
    is_retried = failure_type == TRANSIENT and reply.get("status_code") != 429
    assert api.call_count == (3 if is_retried else 1)


@ALL
def test_a_failure_fails_the_check(
    api: Mocker, reply: Reply, failure_type: str, phrase: str
) -> None:
    api.get(tyntec.STREAMS["message_status"], **reply)
    result = source().check(LOGGER, config("id-1", "id-2"))
    assert result.status.value == "FAILED", failure_type
    assert phrase in str(result.message)
    assert not PYTHON.search(str(result.message))
    assert api.call_count <= FAST.max_attempts


@pytest.mark.parametrize("name", tyntec.STREAMS)
@pytest.mark.parametrize(
    "failed", [tyntec.UNAVAILABLE, {"status_code": 404, "text": HTML}, {"exc": exceptions.Timeout}]
)
def test_a_failure_that_passes_costs_no_row(api: Mocker, name: str, failed: Reply) -> None:
    api.get(tyntec.STREAMS[name], [failed, failed, tyntec.EVERYTHING])
    assert len(rows(sync(streams=(name,)))) == 1


@pytest.mark.parametrize("status_code", [400, 404, 410, 422])
def test_a_problem_document_skips_the_id(api: Mocker, status_code: int) -> None:
    api.get(tyntec.STREAMS["message_status"], **problem(status_code, "No such message"))
    failure_type, message = error(sync())
    assert failure_type == CONFIG
    assert "0 failed, 1 unknown." in message
    assert "1 not read: id-1." in message
    assert ("Unknown to tyntec" if status_code == 404 else "(No such message)") in message
    assert api.call_count == 1


@pytest.mark.parametrize("phrase", BY_PHRASE)
def test_a_phrase_counts_more_than_status_and_case(api: Mocker, phrase: str) -> None:
    api.get(tyntec.STREAMS["message_status"], **gateway(418, f"Sorry: {phrase.upper()}!"))
    assert error(sync())[0] == CONFIG


def test_a_defect_of_the_connector_is_named(api: Mocker) -> None:
    api.get(tyntec.STREAMS["message_status"], exc=ZeroDivisionError("division by zero"))
    failure_type, message = error(sync())
    assert failure_type == SYSTEM
    assert "Unexpected" in message
    assert "division by zero. Report it to the maintainers" in message


def test_a_phrase_in_a_success_is_data(api: Mocker) -> None:
    row = tyntec.status(message="no Route matched with those values")
    api.get(tyntec.STREAMS["message_status"], **row)
    assert rows(sync()) == [row["json"]]
