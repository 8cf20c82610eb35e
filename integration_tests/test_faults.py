"""A hostile API: what becomes of a status, of a list and of a check. The README's table of faults is made of FAULTS."""

import socket
import time
from dataclasses import dataclass

import pytest

from integration_tests.conftest import StartSandbox
from integration_tests.connector import LISTS, ROOT, STREAMS, TIME_SCALE, config, longest, run
from source_tyntec_sms.session import CHECK, READ

RETRIED = "is retried, then fails: `transient_error`"
FAILS = "fails: `system_error`"
READS = "is read"
# Beyond the policy: starting Python, importing the CDK, and a busy machine.
SECONDS_TO_START = 12


@dataclass(frozen=True)
class Fault:
    """A fault of the sandbox, what it is called, and how a status and a list end that meet it."""

    name: str
    what: str
    status: str
    contacts: str
    words: str = ""
    flags: tuple[str, ...] = ("--debug",)


LOST = "could not be made, or was lost"
BROKEN = "cut short, or is not valid HTTP"
FAULTS = [
    Fault("reset-before", "connection reset before the answer", RETRIED, RETRIED, LOST),
    Fault("reset-in-headers", "connection reset in the middle of the headers", RETRIED, RETRIED, LOST),
    Fault("reset-after-headers", "connection reset after the headers", RETRIED, RETRIED),
    Fault("cut", "body cut short", RETRIED, RETRIED, BROKEN),
    Fault("cut-chunk", "chunked body cut short", RETRIED, RETRIED, BROKEN),
    Fault("hang", "connection accepted, no answer", RETRIED, RETRIED, "took too long to answer"),
    Fault("trickle", "one byte a second", RETRIED, RETRIED, "took too long to answer"),
    Fault("101", "101, 102 or 103, and nothing after it", RETRIED, RETRIED, "tyntec is failing: it answered 101"),
    Fault("103-then-200", "103, then a good answer", RETRIED, RETRIED, "tyntec is failing: it answered 103"),
    Fault("no-http", "a status line that is not HTTP", RETRIED, RETRIED, LOST),
    Fault("two-lengths", "two different `Content-Length`s", RETRIED, RETRIED, BROKEN),
    Fault("negative-chunk", "a negative chunk size", RETRIED, RETRIED, BROKEN),
    Fault("html", "200 with a page of HTML", RETRIED, RETRIED, "not with JSON"),
    Fault("empty", "200 with an empty body", RETRIED, RETRIED, "not with JSON"),
    Fault("bad-gzip", "gzip that is cut short", RETRIED, RETRIED),
    Fault("not-gzip", "gzip that does not unpack", RETRIED, RETRIED, "could not be unpacked"),
    Fault("nan", "`NaN`, which is not JSON", RETRIED, RETRIED, "not with JSON"),
    Fault("deep", "200,000 brackets", RETRIED, RETRIED, "not with JSON"),
    Fault("no-content", "204 without a body", RETRIED, "is read as no rows", "answered 204"),
    Fault("null", "`null`", FAILS, FAILS, "answered with null"),
    Fault("list", "an empty list", FAILS, FAILS, "answered with a list"),
    Fault("string", "a string", FAILS, FAILS, "answered with a string"),
    Fault("number", "a number", FAILS, FAILS, "answered with a number"),
    Fault("no-list", "an object without the list", READS, FAILS),
    Fault("rows-of-text", "a list with strings for rows", READS, FAILS),
    Fault("message-only", "200 with an error of the gateway", "is retried, then fails: `system_error`", FAILS),
    Fault("id-as-number", "the status of another message", "is retried, then fails: `system_error`", READS, "4711"),
    Fault("id-in-capitals", "the request id in capitals", READS, READS),
    Fault("wrong-charset", "ISO 8859-1 instead of UTF-8", READS, FAILS),
    Fault("unknown-charset", "a charset that does not exist", READS, FAILS),
    Fault("huge-numbers", "numbers above 64 bits and beyond a float", READS, READS),
    Fault("bare-header", "a header line without a colon", READS, READS),
    Fault("cookies", "five cookies with an absurd `Max-Age`", READS, READS),
    Fault("extra-answer", "a second answer after the first", READS, READS),
    Fault("large", "an answer of 6 MB", FAILS, READS, "larger than 5 MB", flags=()),
    Fault("gzip-bomb", "1 MB of gzip that unpacks to 1 GB", FAILS, FAILS, "tyntec's answer is larger than", flags=()),
    Fault("gzip-bomb-twice", "the same, packed twice", FAILS, FAILS, "tyntec's answer is larger than", flags=()),
    Fault("endless-body", "a body without an end", FAILS, FAILS, "tyntec's answer is larger than", flags=()),
    Fault("to-itself", "redirect to itself", FAILS, FAILS, "redirected the request"),
    Fault("other-host", "redirect to another host", FAILS, FAILS, "redirected the request"),
    Fault("other-scheme", "redirect to another scheme", FAILS, FAILS, "redirected the request"),
    Fault("bad-location", "redirect to an address that cannot be parsed", RETRIED, RETRIED, BROKEN),
]


def row(fault: Fault) -> str:
    """The line of the README about `fault`."""
    return f"| {fault.what} | {fault.status} | {fault.contacts} |"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_ends_a_read_as_documented_and_in_time(start_sandbox: StartSandbox, fault: Fault) -> None:
    sandbox = start_sandbox(faults={"message_status": fault.name, "contacts": fault.name})
    # At debug level, where the most is printed: none of it may hold the key, see connector.run.
    result = run(sandbox.url, "read", None, *fault.flags)
    for stream, outcome in (("message_status", fault.status), ("contacts", fault.contacts)):
        if outcome.startswith(READS):
            assert result.ended(stream) == "COMPLETE"
            assert bool(result.records(stream)) == ("no rows" not in outcome)
        else:
            assert result.ended(stream) == "INCOMPLETE"
            assert not result.records(stream)
            (error,) = result.errors(stream)
            assert f"`{error['failure_type']}`" in outcome
            assert fault.words in error["message"]
    for stream in LISTS:
        assert stream == "contacts" or result.ended(stream) == "COMPLETE"
    assert result.seconds < 2 * longest(READ) * TIME_SCALE + SECONDS_TO_START
    assert not any("/sms" in asked.path for asked in sandbox.asked)
    assert sandbox.requests("/byon/contacts") == (8 if fault.contacts == RETRIED else 1)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_ends_a_check_in_plain_words_and_in_time(start_sandbox: StartSandbox, fault: Fault) -> None:
    sandbox = start_sandbox(faults={"message_status": fault.name})
    result = run(sandbox.url, "check", None, *fault.flags, time_scale=0.05)
    assert result.exit_code == 0
    status = result.connection_status
    assert status["status"] == ("SUCCEEDED" if fault.status == READS else "FAILED")
    if fault.status != READS:
        assert fault.words in status["message"]
    assert result.seconds < longest(CHECK) * 0.05 + SECONDS_TO_START


def test_the_readme_shows_what_becomes_of_each_fault() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [row(fault) for fault in FAULTS if row(fault) not in readme] == []


def test_the_readme_states_how_long_the_connector_tries() -> None:
    readme = " ".join((ROOT / "README.md").read_text().split())
    for sentence in (
        f"at most {READ.max_attempts} times",
        f"at most {longest(READ) / 60:.0f} minutes",
        f"at most {CHECK.max_attempts} times",
        f"more than {READ.longest_hold / 60:.0f} minutes",
        f"up to {READ.longest_bare_hold / 60:.0f} minute" if READ.longest_bare_hold != 60 else "up to a minute",
    ):
        assert sentence in readme
    # A check may also wait for the rate limit: until it gives up, and once more before the last attempt.
    assert longest(CHECK) + 2 * CHECK.longest_hold + CHECK.longest_bare_hold < 120


def test_nothing_listening_is_told_by_check_within_30_seconds_with_real_waits(unused_port: int) -> None:
    result = run(f"http://127.0.0.1:{unused_port}", "check", time_scale=1)
    assert LOST in result.connection_status["message"]
    assert result.seconds < 30


def test_nothing_listening_fails_every_stream(unused_port: int) -> None:
    result = run(f"http://127.0.0.1:{unused_port}", "read", config(*(f"id-{n}" for n in range(30))))
    for stream in STREAMS:
        assert result.ended(stream) == "INCOMPLETE"
        assert result.errors(stream)[0]["failure_type"] == "transient_error"


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        (None, None),
        ("1", 1),
        ("in an hour or so", None),
        ("-5", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("a date", 2),
    ],
)
def test_retry_after_is_obeyed_as_seconds_and_as_date_and_nonsense_is_not(
    start_sandbox: StartSandbox, retry_after: str | None, seconds: int | None
) -> None:
    sandbox = start_sandbox(faults={"contacts": "429:1"}, retry_after=retry_after)
    if retry_after == "a date":
        moment = time.time() + 3.5
        sandbox.retry_after = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(moment))
    result = run(sandbox.url, "read", streams=["contacts"], time_scale=0.1)
    assert result.exit_code == 0
    assert "RATE_LIMITED" in result.reasons("contacts")
    waited = sandbox.asked[1].at - sandbox.asked[0].at
    if retry_after == "a date":
        assert sandbox.asked[1].at + time.time() - time.monotonic() >= int(moment) - 0.1
    elif seconds:
        assert seconds <= waited < seconds + 1
    else:
        assert waited < 0.5


@pytest.mark.parametrize("code", ["429", "503"])
def test_a_retry_after_that_is_too_long_ends_the_stream_at_once(start_sandbox: StartSandbox, code: str) -> None:
    sandbox = start_sandbox(faults={"message_status": code, "contacts": code}, retry_after="3600")
    result = run(sandbox.url, "read", config(*(f"id-{n}" for n in range(200)), num_workers=2))
    for stream in ("message_status", "contacts"):
        assert result.ended(stream) == "INCOMPLETE"
        assert "asked to wait 3,600 seconds" in result.error(stream)
    assert sandbox.requests("/byon/contacts") == 1
    assert sandbox.requests("/messaging") <= 2


def test_a_check_does_not_wait_for_an_hour(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(faults={"message_status": "429"}, retry_after="3600")
    result = run(sandbox.url, "check")
    assert "asked to wait 3,600 seconds" in result.connection_status["message"]


@pytest.fixture
def unused_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


if __name__ == "__main__":
    print(*map(row, FAULTS), sep="\n")  # noqa: T201
