"""A hostile API: what becomes of a status, of a list and of a check. docs/reliability.md has a table made of FAULTS.

    python -m integration_tests.test_faults

prints the rows of that table.
"""

import socket
import time
from dataclasses import dataclass

import pytest

from integration_tests.conftest import StartSandbox
from integration_tests.connector import LISTS, ROOT, STREAMS, TIME_SCALE, config, longest, run
from source_tyntec_sms.session import CHECK, READ

RETRIED = "is retried, then fails: `transient_error`"
UNEXPECTED = "is retried, then fails: `system_error`"
FAILS = "fails: `system_error`"
AT_ONCE = "fails at once: `transient_error`"
WAITED_FOR = "is waited for, then fails: `transient_error`"
READS = "is read"
# Beyond the policy: starting Python, importing the CDK, and a busy machine.
SECONDS_TO_START = 12
# For answers that never come, and for those that take a second to read.
SHORTER, LONGER = 0.01, 0.3
# How long refusals are borne: in production 15 minutes.
SHORT_HOLD = {"longest_hold": 1.0}
MOST_MEMORY = 600


@dataclass(frozen=True)
class Fault:
    """A fault of the sandbox, what it is called, and how a status and a list end that meet it."""

    name: str
    what: str
    status: str
    contacts: str
    words: str = ""
    time_scale: float = TIME_SCALE
    retry_after: str | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """At debug level the most is printed, none of which may hold the key; but not an answer of many megabytes."""
        return () if self.time_scale == LONGER else ("--debug",)


LOST = "could not be made, or was lost"
BROKEN = "cut short, or is not valid HTTP"
SLOW = "took too long to answer"
MEANT = "tyntec is failing: it answered 200"
TOO_LARGE = "tyntec's answer is larger than"
CONNECTION_REFUSED = Fault("", "connection refused", RETRIED, RETRIED, LOST)
FAULTS = [
    Fault("503:2", "500, 502, 503 or 504, twice", READS, READS),
    Fault("503", "500, 502, 503 or 504, always", RETRIED, RETRIED, "tyntec is failing: it answered 503"),
    Fault("429:2", "429, twice", READS, READS),
    Fault("429", "429 for more than 15 minutes", WAITED_FOR, WAITED_FOR, "to every request for"),
    Fault("429", "429 with `Retry-After: 3600`", AT_ONCE, AT_ONCE, "asked to wait 3,600 seconds", retry_after="3600"),
    Fault("503", "503 with `Retry-After: 3600`", AT_ONCE, AT_ONCE, "asked to wait 3,600 seconds", retry_after="3600"),
    Fault("late:2", "a 500, after which each answer is that to the request before", READS, READS),
    Fault("reset-before", "connection reset before the answer", RETRIED, RETRIED, LOST),
    Fault("reset-in-headers", "connection reset in the middle of the headers", RETRIED, RETRIED, LOST),
    Fault("reset-after-headers", "connection reset after the headers", RETRIED, RETRIED),
    Fault("cut", "body cut short", RETRIED, RETRIED, BROKEN),
    Fault("cut-chunk", "chunked body cut short", RETRIED, RETRIED, BROKEN),
    Fault("hang", "connection accepted, no answer", RETRIED, RETRIED, SLOW, SHORTER),
    Fault("trickle", "one byte a second", RETRIED, RETRIED, SLOW, SHORTER),
    Fault("endless-100", "100 again and again", RETRIED, RETRIED, SLOW, SHORTER),
    Fault("101", "101, and nothing after it", RETRIED, RETRIED, "tyntec is failing: it answered 101"),
    Fault("103", "102 or 103, and nothing after it", RETRIED, RETRIED, "", SHORTER),
    Fault("103-then-200", "103, then a good answer", READS, READS),
    Fault("no-http", "a status line that is not HTTP", RETRIED, RETRIED, BROKEN),
    Fault("many-headers", "200 header lines", RETRIED, RETRIED, BROKEN),
    Fault("two-lengths", "two different `Content-Length`s", RETRIED, RETRIED, BROKEN),
    Fault("negative-chunk", "a negative chunk size", RETRIED, RETRIED, BROKEN),
    Fault("html", "200 with a page of HTML", RETRIED, RETRIED, "not with JSON"),
    Fault("empty", "200 with an empty body", RETRIED, RETRIED, "not with JSON"),
    Fault("bad-gzip", "gzip that is cut short", RETRIED, RETRIED),
    Fault("not-gzip", "gzip that does not unpack", RETRIED, RETRIED, "could not be unpacked"),
    Fault("nan", "`NaN`, which is not JSON", RETRIED, RETRIED, "not with JSON"),
    Fault("deep", "200,000 brackets", RETRIED, RETRIED, "not with JSON"),
    Fault("no-content", "204 without a body", RETRIED, "is read as no rows", "answered 204"),
    Fault("null", "`null`", UNEXPECTED, UNEXPECTED, MEANT),
    Fault("list", "an empty list", UNEXPECTED, UNEXPECTED, MEANT),
    Fault("string", "a string", UNEXPECTED, UNEXPECTED, MEANT),
    Fault("number", "a number", UNEXPECTED, UNEXPECTED, MEANT),
    Fault("no-list", "an object without the list", UNEXPECTED, UNEXPECTED, MEANT),
    Fault("rows-of-text", "a list with strings for rows", UNEXPECTED, UNEXPECTED, MEANT),
    Fault("message-only", "200 with an error of the gateway", UNEXPECTED, UNEXPECTED, MEANT),
    Fault("id-of-another", "the status of another message", UNEXPECTED, READS, "with the status of id-0"),
    Fault("id-in-capitals", "the request id in capitals", READS, READS),
    Fault("wrong-charset", "ISO 8859-1 instead of UTF-8", READS, UNEXPECTED),
    Fault("unknown-charset", "a charset that does not exist", READS, UNEXPECTED),
    Fault("huge-numbers", "numbers above 64 bits and beyond a float", READS, READS),
    Fault("bare-header", "a header line without a colon", READS, READS),
    Fault("cookies", "five cookies with an absurd `Max-Age`", READS, READS),
    Fault("extra-answer", "a second answer after the first", READS, READS),
    Fault("large", "an answer of 6 MB", FAILS, READS, "larger than 5 MB", LONGER),
    Fault("gzip-bomb", "1 MB of gzip that unpacks to 1 GB", FAILS, FAILS, TOO_LARGE, LONGER),
    Fault("gzip-bomb-members", "the same, in a thousand gzip streams", FAILS, FAILS, TOO_LARGE, LONGER),
    Fault("gzip-bomb-twice", "the same, packed twice", FAILS, FAILS, TOO_LARGE, LONGER),
    Fault("endless-body", "a body without an end", FAILS, FAILS, TOO_LARGE, LONGER),
    Fault("endless-chunks", "chunks without an end", FAILS, FAILS, TOO_LARGE, LONGER),
    Fault("to-itself", "redirect to itself", FAILS, FAILS, "redirected the request"),
    Fault("other-host", "redirect to another host", FAILS, FAILS, "redirected the request"),
    Fault("other-scheme", "redirect to another scheme", FAILS, FAILS, "redirected the request"),
    Fault("bad-location", "redirect to an address that cannot be parsed", RETRIED, RETRIED, BROKEN),
]
PAGE = ROOT / "docs/reliability.md"
HEADER = "| the API's answer | a status | a list |\n|---|---|---|\n"


def table() -> str:
    """The rows of the table in the docs, in Markdown."""
    return "\n".join(f"| {fault.what} | {fault.status} | {fault.contacts} |" for fault in (CONNECTION_REFUSED, *FAULTS))


def most_requests(fault: Fault, outcome: str) -> int:
    """How many requests a stream sends that meets `fault`, or fewer where refusals are waited for."""
    if outcome == WAITED_FOR:
        return 100
    if "is retried" in outcome:
        return READ.max_attempts
    return 3 if fault.name.endswith(":2") else 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_fault_ends_a_read_as_documented_and_in_time(start_sandbox: StartSandbox, fault: Fault) -> None:
    faults = {"message_status": fault.name, "contacts": fault.name}
    sandbox = start_sandbox(faults=faults, retry_after=fault.retry_after)
    result = run(sandbox.url, "read", None, *fault.flags, time_scale=fault.time_scale, policy=SHORT_HOLD)
    for stream, path, outcome in (
        ("message_status", "/messaging", fault.status),
        ("contacts", "/byon/contacts", fault.contacts),
    ):
        if outcome.startswith(READS):
            assert result.ended(stream) == "COMPLETE"
            assert bool(result.records(stream)) == ("no rows" not in outcome)
        else:
            assert result.ended(stream) == "INCOMPLETE"
            assert not result.records(stream)
            (error,) = result.errors(stream)
            assert f"`{error['failure_type']}`" in outcome
            assert fault.words in error["message"]
        most = most_requests(fault, outcome)
        assert sandbox.requests(path) == most or (outcome == WAITED_FOR and 1 < sandbox.requests(path) < most)
    assert {result.ended(stream) for stream in LISTS if stream != "contacts"} == {"COMPLETE"}
    assert result.seconds < 2 * longest(READ) * fault.time_scale + SECONDS_TO_START
    assert result.peak_memory < MOST_MEMORY


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_fault_ends_a_check_in_plain_words_and_in_time(start_sandbox: StartSandbox, fault: Fault) -> None:
    sandbox = start_sandbox(faults={"message_status": fault.name}, retry_after=fault.retry_after)
    time_scale = max(fault.time_scale, 0.05)
    result = run(sandbox.url, "check", None, *fault.flags, time_scale=time_scale, policy=SHORT_HOLD)
    assert result.exit_code == 0
    status = result.connection_status
    assert status["status"] == ("SUCCEEDED" if fault.status == READS else "FAILED")
    if fault.status != READS:
        assert fault.words in status["message"]
    assert result.seconds < longest(CHECK) * time_scale + SECONDS_TO_START
    assert result.peak_memory < MOST_MEMORY


def test_the_docs_show_what_becomes_of_each_fault() -> None:
    shown = PAGE.read_text().partition(HEADER)[2].partition("\n\n")[0]
    assert shown.splitlines() == table().splitlines(), "python -m integration_tests.test_faults prints the rows"


def test_the_docs_state_how_long_the_connector_tries() -> None:
    page = " ".join(PAGE.read_text().split())
    for sentence in (
        f"at most {READ.max_attempts} times",
        f"at most {longest(READ) / 60:.0f} minutes",
        f"at most {CHECK.max_attempts} times",
        f"more than {READ.longest_hold / 60:.0f} minutes",
        f"up to {READ.longest_bare_hold / 60:.0f} minute" if READ.longest_bare_hold != 60 else "up to a minute",
    ):
        assert sentence in page
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
        assert f"`{result.errors(stream)[0]['failure_type']}`" in CONNECTION_REFUSED.status
        assert CONNECTION_REFUSED.words in result.error(stream)


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
    result = run(sandbox.url, "read", streams=["contacts"], time_scale=1)
    assert result.exit_code == 0
    assert "RATE_LIMITED" in result.reasons("contacts")
    waited = sandbox.asked[1].at - sandbox.asked[0].at
    if retry_after == "a date":
        assert sandbox.asked[1].at + time.time() - time.monotonic() >= int(moment) - 0.1
    elif seconds:
        assert seconds <= waited < seconds + 1
    else:
        assert 1 <= waited < 1.9


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
    print(table())
