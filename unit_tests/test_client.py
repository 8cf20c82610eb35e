"""How requests are sent, and sent again."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest
from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets
from requests import Request
from requests_mock import ANY, Mocker

from source_tyntec_sms import client
from source_tyntec_sms.client import READ, describe
from unit_tests import tyntec
from unit_tests.conftest import Clock
from unit_tests.helpers import LOGGER, config, errors, ids, logged, response, rows, source, sync

STATUS = tyntec.STREAMS["message_status"]
LOCAL = "http://127.0.0.1:8080"


def last_request(api: Mocker) -> Any:
    return api.last_request


@pytest.mark.parametrize("name", tyntec.STREAMS)
def test_a_request_has_the_key_and_timeouts(api: Mocker, name: str) -> None:
    api.get(tyntec.STREAMS[name], **tyntec.EVERYTHING)
    sync(streams=(name,), connect_timeout=3, read_timeout=7)
    request = last_request(api)
    assert request.headers["apikey"] == tyntec.KEY
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Accept-Encoding"] == "gzip"
    assert request.timeout == (3, 7)
    assert request.verify


def test_a_redirect_is_not_followed(api: Mocker) -> None:
    evil = api.get("https://evil.example/")
    api.get(STATUS, status_code=302, headers={"Location": "https://evil.example/"})
    sync()
    assert not evil.called


@pytest.mark.parametrize("url", ["https://evil.example/", "http://api.tyntec.com/"])
def test_no_other_address_can_be_reached(url: str) -> None:
    stream: Any = source().streams(config())[0]
    stream.url_base = url
    with pytest.raises(Exception, match="Could not send a request"):  # without a connection
        stream.status("id-1")


def test_no_cookie_is_sent_back() -> None:
    stream: Any = source().streams(config())[0]
    session = client.TyntecSession(stream, client.RateLimit(READ), Event())
    session.cookies.set("session", "1")  # as a response would
    assert "Cookie" not in session.prepare_request(Request("GET", STATUS)).headers


def test_netrc_is_not_read(api: Mocker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine api.tyntec.com login me password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    api.get(STATUS, **tyntec.status())
    sync()
    assert "Authorization" not in last_request(api).headers


def test_proxy_and_certificates_come_from_outside(
    api: Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/certificates.pem")
    api.get(STATUS, **tyntec.status())
    sync()
    assert last_request(api).proxies["https"] == "http://proxy:3128"
    assert last_request(api).verify == "/certificates.pem"


def test_a_loopback_address_has_no_proxy(api: Mocker, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy:3128")
    monkeypatch.setenv("TYNTEC_API_URL", LOCAL)
    api.get(f"{LOCAL}/messaging/v1/messages/id-1", **tyntec.status())
    assert len(rows(sync())) == 1
    assert not last_request(api).proxies


# Outages


def test_waits_between_attempts_double_up_to_a_minute(api: Mocker, clock: Clock) -> None:
    api.get(STATUS, **tyntec.UNAVAILABLE)
    attempts = [line for line in logged(sync(policy=READ), "INFO") if line.startswith("Attempt")]
    assert clock.waits == pytest.approx([0.9 * s for s in (1, 2, 4, 8, 16, 32, 60, 60, 60)])
    assert api.call_count == 10
    assert len(attempts) == 9
    assert "1 of 10 failed: HTTP 503 (no JSON object). Retrying in 0.9 seconds" in attempts[0]


@pytest.mark.parametrize("attempt", range(1, 10))
def test_jitter_takes_up_to_a_quarter_off_a_wait(attempt: int) -> None:
    strategy, longest = client.TyntecBackoffStrategy(READ, LOGGER), min(60, 2 ** (attempt - 1))
    # The CDK adds a second.
    waits = [1 + strategy.backoff_time(ConnectionError(), attempt) for _ in range(200)]
    assert 0.75 * longest <= min(waits) < 0.85 * longest
    assert 0.9 * longest < max(waits) <= longest


@pytest.mark.parametrize("seconds", [45, 120, 170])
def test_an_outage_of_minutes_costs_no_row(api: Mocker, clock: Clock, seconds: int) -> None:
    begin = clock.now + 10

    def respond(request: Any, context: Any) -> Any:
        clock.now += 1
        context.status_code = 503 if begin < clock.now < begin + seconds else 200
        return {"requestId": request.path.rpartition("/")[2]}

    for request_id in ids(30):
        api.get(tyntec.STATUSES + request_id, json=respond)
    assert len(rows(sync(*ids(30), policy=READ))) == 30


def test_a_long_outage_ends_the_retries_of_all_streams(api: Mocker, clock: Clock) -> None:
    api.get(ANY, **tyntec.UNAVAILABLE)
    begin, streams = clock.now, tuple(tyntec.STREAMS)
    found = errors(sync(*ids(5), streams=streams, policy=READ, max_attempts=20))
    assert list(found) == [*streams, ""]
    assert "5 failed" in found["message_status"][1]
    assert READ.longest_outage < clock.now - begin <= READ.longest_outage + READ.longest_wait
    assert api.call_count <= 11 + 4 + 3


def test_a_wait_for_the_limit_is_no_outage(clock: Clock) -> None:
    limit = client.RateLimit(READ)
    handler, actions = client.TyntecErrorHandler("https://api.example", limit), []
    for _ in range(2):
        actions.append(handler.interpret_response(response(503, text="{}")).response_action)
        refusal = response(429, text="{}", headers={"Retry-After": "600"})
        limit.release(limit.acquire(), refusal)
        clock.now += 601
    assert [action and action.value for action in actions] == ["RETRY", "RETRY"]


def test_a_success_ends_an_outage(clock: Clock) -> None:
    handler, actions = client.TyntecErrorHandler("https://api.example", client.RateLimit(READ)), []
    for seconds, code in ((0, 503), (180, 503), (1, 503), (0, 200), (10, 503), (181, 503)):
        clock.now += seconds
        actions.append(handler.interpret_response(response(code, text="{}")).response_action)
    assert [action and action.value for action in actions] == [
        *("RETRY", "RETRY", "FAIL", "SUCCESS", "RETRY", "FAIL")
    ]


# Words


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"message": "Invalid key"}, "HTTP 400 (Invalid key)"),
        ({"title": "Bad", "status": 400, "detail": "to is short"}, "HTTP 400 (Bad: to is short)"),
        ({"code": "NotFound", "message": "Not found", "timestamp": 1}, "HTTP 400 (Not found)"),
        ({"message": " two\n lines ", "title": None}, "HTTP 400 (two lines)"),
        ({"message": 5}, "HTTP 400"),
        ({}, "HTTP 400"),
        ([], "HTTP 400 (no JSON object)"),
        ({"message": "x" * 1000}, f"HTTP 400 ({'x' * 300})"),
        # The key is masked before the quote is cut.
        ({"message": "x" * 290 + tyntec.KEY}, f"HTTP 400 ({'x' * 290}****)"),
    ],
)
def test_the_words_of_tyntec_are_quoted(document: object, words: str) -> None:
    add_to_secrets(tyntec.KEY)
    assert describe(response(400, json=document)) == words


def test_only_words_of_a_limit_say_when_it_resets() -> None:
    limited, busy = (tyntec.gateway(code, "Busy", Retry_After="1800") for code in (429, 503))
    assert "(Busy" in describe(response(**limited))
    assert "resets in" in describe(response(**limited))
    assert describe(response(**busy)) == "HTTP 503 (Busy)"
    assert describe(response(**tyntec.LIMITED)) == "HTTP 429 (API rate limit exceeded)"
