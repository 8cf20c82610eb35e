"""The examples as users run them, against the sandbox: on DuckDB, and on a PostgreSQL server."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integration_tests.sandbox import Sandbox
from integration_tests.sandbox_data import status
from integration_tests.sandbox_messages import Messages

ROOT = Path(__file__).parent.parent
HOURLY = ROOT / "examples" / "hourly_statuses.py"
STATUS = "/messaging/v1/messages/"
PENDING = {"ACCEPTED", "BUFFERED"}

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore")]

Rows = list[tuple[Any, ...]]
Sql = Callable[..., Rows]


@pytest.fixture(params=["duckdb", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "duckdb":
        return f"duckdb:///{tmp_path}/example.duckdb"
    url: str = request.getfixturevalue("postgres")
    name = f"test_{tmp_path.name.lower()}"
    with sa.create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE IF EXISTS "{name}"'))
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    return url.removesuffix("postgres") + name


@pytest.fixture
def sql(database: str) -> Sql:
    """Executes statements in the database, and returns the rows of the last one if it has any."""

    def sql(*statements: str, **parameters: Any) -> Rows:
        engine = sa.create_engine(database, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.execute(sa.text("SET TimeZone = 'UTC'"))
            for statement in statements:
                result = connection.execute(sa.text(statement), parameters)
            return [tuple(row) for row in result] if result.returns_rows else []

    return sql


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(statuses={}) as sandbox:
        yield sandbox


def start(
    script: Path, database: str, sandbox: Sandbox, *arguments: str, **environment: str
) -> "subprocess.Popen[str]":
    """An example that runs."""
    return subprocess.Popen(
        [sys.executable, script, *arguments],
        env={
            **os.environ,
            "TYNTEC_API_URL": sandbox.url,
            "TYNTEC_API_KEY": sandbox.key,
            "DATABASE_URL": database,
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(database: str, sandbox: Sandbox, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """The exit code of the hourly script, what it printed, and what it complained about."""
    process = start(HOURLY, database, sandbox, *arguments, **environment)
    output, complaints = process.communicate()
    assert "Traceback" not in complaints
    return process.returncode, output, complaints


def seed(sql: Sql, *ids: str | None) -> None:
    """A table of messages that were sent just now."""
    sql("CREATE TABLE sent_messages (request_id varchar, sent_at timestamp with time zone)")
    for request_id in ids:
        sql("INSERT INTO sent_messages VALUES (:id, now())", id=request_id)


def wait_for_requests(process: "subprocess.Popen[str]", sandbox: Sandbox, count: int) -> None:
    while len(sandbox.asked) < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def asked(sandbox: Sandbox) -> list[str]:
    """The ids that were asked for, in alphabetical order."""
    return sorted(request.path.removeprefix(STATUS) for request in sandbox.asked)


def test_pending_messages_are_asked_for_until_they_are_final(database: str, sql: Sql, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "examples.seed", "--database", database, "--messages", "5000"], cwd=ROOT, check=True
    )
    with Sandbox(messages=5000, settle_seconds=100_000) as sandbox:
        code, output, complaints = run(database, sandbox)

        states: dict[str, int] = dict(sql("SELECT status, count(*) FROM message_status GROUP BY status"))
        pending = sum(states.get(state, 0) for state in PENDING)
        assert pending > 10
        assert (code, output, complaints) == (
            0,
            f"5,000 asked: {5000 - pending:,} final, {pending} pending, 0 unknown, 0 failed.\n",
            "",
        )
        assert set(states) == {"DELIVERED", "EXPIRED", "UNDELIVERABLE", "REJECTED", *PENDING}
        assert len(asked(sandbox)) == len(set(asked(sandbox))) == 5000
        waiting = sql(
            "SELECT requestid FROM message_status WHERE status IN ('ACCEPTED', 'BUFFERED') ORDER BY requestid"
        )

    with Sandbox(messages=5000, settle_seconds=0) as sandbox:
        code, output, _ = run(database, sandbox)

        assert (code, output) == (0, f"{pending} asked: {pending} final, 0 pending, 0 unknown, 0 failed.\n")
        assert asked(sandbox) == sorted(request_id for (request_id,) in waiting)
        assert sql("SELECT count(*), count(DISTINCT requestid) FROM message_status") == [(5000, 5000)]
        assert sql("SELECT count(*) FROM sms_delivery WHERE donedate IS NULL AND status <> 'REJECTED'") == [(0,)]

        sandbox.asked.clear()
        assert run(database, sandbox) == (
            0,
            "Nothing to ask: no message in sent_messages is waiting for its final status.\n",
            "",
        )
        assert sandbox.asked == []

    report = start(ROOT / "examples" / "delivery_report.py", database, sandbox, "--output", str(tmp_path))
    output, complaints = report.communicate()
    assert (report.returncode, complaints) == (0, "")
    page = (tmp_path / "delivery-report.html").read_text()
    assert "5,000" in page
    own_html = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r'(?:src|href)="(?!data:)', own_html), "it loads something"
    assert not any(recipient in page for _, _, recipient in Messages(5000).sent()), "it tells recipients"
    assert (tmp_path / "delivery-report.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_stopped_run_read_is_not_asked_for_again(
    database: str, sql: Sql, sandbox: Sandbox, signal_number: signal.Signals
) -> None:
    sandbox.statuses.update({f"id-{number}": status(f"id-{number}") for number in range(2000)})
    sandbox.delay = 0.02
    sql(
        "CREATE TABLE sent_messages AS "
        "SELECT 'id-' || i AS request_id, now() AS sent_at FROM generate_series(0, 1999) AS s (i)"
    )
    process = start(HOURLY, database, sandbox)
    wait_for_requests(process, sandbox, 1200)
    process.send_signal(signal_number)
    output, complaints = process.communicate()

    assert process.returncode not in (0, None)
    assert output == ""
    if signal_number is signal.SIGTERM:
        assert complaints == "Stopped. What was read is stored; the next run reads the rest.\n"
    [(stored,)] = sql("SELECT count(*) FROM message_status")
    assert 500 <= stored < 2000
    time.sleep(2)
    before = len(sandbox.asked)
    time.sleep(1)
    assert len(sandbox.asked) == before, "the connector goes on"

    sandbox.asked.clear()
    code, output, _ = run(database, sandbox)

    rest = 2000 - stored
    assert (code, output) == (0, f"{rest:,} asked: {rest:,} final, 0 pending, 0 unknown, 0 failed.\n")
    assert len(asked(sandbox)) == rest
    assert sql("SELECT count(*), count(DISTINCT requestid) FROM message_status") == [(2000, 2000)]


def test_the_ids_that_fail_are_read_by_the_next_run(database: str, sql: Sql, sandbox: Sandbox) -> None:
    ids = [f"id-{number}" for number in range(20)]
    sandbox.statuses.update({request_id: status(request_id) for request_id in ids})
    sandbox.faults.update({"id-3": "string", "id-7": "string"})
    seed(sql, *ids, "nobody-knows")

    code, output, complaints = run(database, sandbox)

    assert (code, output) == (1, "21 asked: 18 final, 0 pending, 1 unknown, 2 failed.\n")
    assert "id-3" in complaints
    assert "id-7" in complaints
    assert sql("SELECT count(*) FROM message_status") == [(18,)]

    sandbox.faults.clear()
    assert run(database, sandbox) == (0, "3 asked: 2 final, 0 pending, 1 unknown, 0 failed.\n", "")
    assert sql("SELECT count(*) FROM message_status") == [(20,)]
    assert sql("SELECT request_id FROM sms_delivery WHERE status IS NULL") == [("nobody-knows",)]


def test_ids_that_are_all_unknown_are_no_failure(database: str, sql: Sql, sandbox: Sandbox) -> None:
    seed(sql, "id-1", "id-2")

    assert run(database, sandbox) == (0, "2 asked: 0 final, 0 pending, 2 unknown, 0 failed.\n", "")


def test_a_rejected_key_is_a_failure(database: str, sql: Sql, sandbox: Sandbox) -> None:
    seed(sql, "id-1", "id-2")

    code, output, complaints = run(database, sandbox, TYNTEC_API_KEY="not-the-key")

    assert (code, output) == (1, "2 asked: 0 final, 0 pending, 0 unknown, 2 failed.\n")
    assert "tyntec rejected the API key" in complaints
    assert "not-the-key" not in complaints


def test_a_table_of_any_name_with_ids_as_they_come(database: str, sql: Sql, sandbox: Sandbox) -> None:
    sandbox.statuses.update({f"id-{number}": status(f"id-{number}") for number in range(1, 9)})
    sql(
        'CREATE SCHEMA "Out box"',
        'CREATE TABLE "Out box"."SMS; x" ("tyntec id" varchar, "when" timestamp, status integer, "from" integer)',
    )
    for request_id, ago in (
        ("id-1", "1 day"),
        ("id-1", "2 days"),  # twice
        (" id-2\n", "1 day"),
        ("id-3", None),
        ("id-4", "90 days"),
        ("id-5", "96 days"),
        (None, "1 day"),
        ("", "1 day"),
        ("  ", "1 day"),
        ("id-6,id-7", "1 day"),
        ("../../sms", "1 day"),
        ("ïd\x01😀", "1 day"),
    ):
        sql(
            'INSERT INTO "Out box"."SMS; x" ("tyntec id", "when") '
            "VALUES (:id, now() AT TIME ZONE 'UTC' - CAST(:ago AS interval))",
            id=request_id,
            ago=ago,
        )
    arguments = ("--table", "Out box.SMS; x", "--id-column", "tyntec id", "--sent-at-column", "when")

    code, output, complaints = run(database, sandbox, *arguments)

    assert (code, output) == (0, "4 asked: 4 final, 0 pending, 0 unknown, 0 failed.\n")
    assert complaints.startswith("3 left out that can't be request ids, such as '")
    assert asked(sandbox) == ["id-1", "id-2", "id-3", "id-4"]
    assert sql("SELECT request_id, count(*) FROM sms_delivery WHERE status = 'DELIVERED' GROUP BY 1 ORDER BY 1") == [
        ("id-1", 2),
        ("id-2", 1),
        ("id-3", 1),
        ("id-4", 1),
    ]


def test_date_times_with_different_offsets_can_be_subtracted(database: str, sql: Sql, sandbox: Sandbox) -> None:
    sandbox.statuses["id-1"] = {
        **status("id-1"),
        "submitDate": "2026-11-20T10:00:00+0200",
        "doneDate": "2026-11-20T08:00:07Z",
    }
    seed(sql, "id-1")

    run(database, sandbox)

    assert sql("SELECT EXTRACT(epoch FROM donedate - submitdate), delivery_seconds FROM sms_delivery") == [(7, 7)]


def test_values_that_a_column_cannot_hold_do_no_harm(database: str, sql: Sql, sandbox: Sandbox) -> None:
    sandbox.statuses["id-1"] = {
        **status("id-1"),
        "doneDate": "soon",
        "size": "many",
        "reference": {"order": 4711},
        "parts": None,
    }
    seed(sql, "id-1")

    assert run(database, sandbox)[0] == 0

    assert sql("SELECT status, donedate, size, reference, parts FROM sms_delivery") == [
        ("DELIVERED", None, None, '{"order": 4711}', None)
    ]


def test_a_table_that_pyairbyte_created_is_merged_into(database: str, sql: Sql, sandbox: Sandbox) -> None:
    sandbox.statuses["id-1"] = status("id-1")
    seed(sql, "id-1")
    texts = ("status", "from", "to", "errorcode", "errorreason", "href", "mccmnc", "ttid", "overallprice", "reference")
    columns = ", ".join(f'"{name}" varchar' for name in ("requestid", *texts))
    sql(
        f"CREATE TABLE message_status ({columns}, submitdate timestamp, donedate timestamp, priceeffective timestamp, "
        "size bigint, parts json, _airbyte_raw_id varchar, _airbyte_extracted_at timestamp, _airbyte_meta json)",
        "INSERT INTO message_status (requestid, status) VALUES ('id-1', 'BUFFERED')",
    )

    assert run(database, sandbox)[0] == 0

    assert sql("SELECT requestid, status FROM message_status") == [("id-1", "DELIVERED")]


def test_a_second_run_at_the_same_time_does_nothing(database: str, sql: Sql, sandbox: Sandbox) -> None:
    sandbox.statuses.update({f"id-{number}": status(f"id-{number}") for number in range(50)})
    sandbox.delay = 4  # long enough for the second run to start on a busy machine
    seed(sql, *sandbox.statuses)
    first = start(HOURLY, database, sandbox)
    wait_for_requests(first, sandbox, 1)

    code, output, complaints = run(database, sandbox)

    assert (code, output) == (1, "")
    assert re.match("Another run is still at work|The database says: .*lock", complaints)
    assert len(complaints.splitlines()) == 1
    assert first.communicate() == ("50 asked: 50 final, 0 pending, 0 unknown, 0 failed.\n", "")
    assert len(sandbox.asked) == 50


def test_a_table_that_is_missing_is_named(database: str, sandbox: Sandbox) -> None:
    code, output, complaints = run(database, sandbox, "--table", "nowhere")

    assert (code, output) == (1, "")
    assert complaints.startswith("The database says: ")
    assert "nowhere" in complaints
    assert len(complaints.splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:secret@127.0.0.1:9/postgres", "The database says: .*refused"),
        ("duckdb:////nowhere/example.duckdb", "The database says: .*nowhere"),
        ("oracle://here", "A package is missing: .*(?i:oracle)"),
        ("no url", "The database URL can't be used: .*"),
        ("", "Name the database"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_in_one_sentence(
    url: str, words: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    process = subprocess.run(
        [sys.executable, HOURLY, "--database", url],
        env={**os.environ, "TYNTEC_API_KEY": sandbox.key},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    assert re.match(words, process.stderr)
    assert "secret" not in process.stderr
    assert len(process.stderr.splitlines()) == 1
