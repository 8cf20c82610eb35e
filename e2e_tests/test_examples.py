"""The examples as users run them, on a DuckDB file and on a PostgreSQL server."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from sandbox import Limit, Sandbox
from sandbox.data import STATUS_PATH, status
from sandbox.messages import Messages

EXAMPLES = Path(__file__).parent.parent / "examples"
HOURLY, REPORT = (str(EXAMPLES / f"{name}.py") for name in ("hourly_statuses", "delivery_report"))
VIEW = (EXAMPLES / "sms_delivery.sql").read_text()
OK = "{0} of {0} message statuses read, 0 failed, 0 unknown. 0 values are no request ids.\n"
LOOKS = "A request id looks like e74db8d4-77ad-4671-8feb-9bc76b0df188"

pytestmark = pytest.mark.timeout(300)

Process = subprocess.Popen[str]
Sql = Callable[..., list[tuple[Any, ...]]]
Run = Callable[..., tuple[int, str, str]]
Start = Callable[..., Process]


def connect(url: str) -> Any:
    if url.startswith("duckdb:"):
        return duckdb.connect(url.removeprefix("duckdb:///"))
    return psycopg.connect(url, autocommit=True, cursor_factory=psycopg.RawCursor)


@pytest.fixture(params=["duckdb", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "duckdb":
        duckdb.connect(str(tmp_path / "example.duckdb")).close()
        return f"duckdb:///{tmp_path}/example.duckdb"
    url: str = request.getfixturevalue("postgres")
    name = re.sub("[^a-z0-9]", "_", tmp_path.name.lower())
    with connect(url) as db:
        db.execute(f"DROP DATABASE IF EXISTS {name}")
        db.execute(f"CREATE DATABASE {name}")
    return url.removesuffix("postgres") + name


@pytest.fixture
def sql(database: str) -> Sql:
    def sql(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with connect(database) as db:
            db.execute("SET TimeZone = 'UTC'")
            cursor = db.execute(statement, parameters)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    return sql


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(statuses={}) as sandbox:
        yield sandbox


@pytest.fixture
def start(database: str, sandbox: Sandbox) -> Start:
    def start(script: str, *arguments: str, **environment: str) -> Process:
        variables = {"TYNTEC_API_URL": sandbox.url, "TYNTEC_API_KEY": sandbox.key}
        variables |= {"DATABASE_URL": database} | environment
        # A shell ignores SIGINT in a background job, and the script would inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return subprocess.Popen(
            [sys.executable, script, *arguments],
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def hourly(start: Start) -> Run:
    def hourly(*arguments: str, **environment: str) -> tuple[int, str, str]:
        process = start(HOURLY, *arguments, **environment)
        output, errors = process.communicate()
        assert "Traceback" not in errors
        return process.returncode, output, errors

    return hourly


def seed(sql: Sql, *ids: str | None, ago: str = "1 minute") -> None:
    """Add messages to the table of sent messages."""
    columns = "request_id text, sent_at timestamp with time zone"
    sql(f"CREATE TABLE IF NOT EXISTS sent_messages ({columns})")
    values = "unnest(CAST($1 AS text[])), now() - CAST($2 AS interval)"
    sql(f"INSERT INTO sent_messages SELECT {values}", list(ids), ago)


def known(sandbox: Sandbox, count: int) -> list[str]:
    sandbox.statuses |= {f"id-{number}": status(f"id-{number}") for number in range(count)}
    return list(sandbox.statuses)


def requested(sandbox: Sandbox) -> list[str]:
    return sorted(request.path.removeprefix(STATUS_PATH) for request in sandbox.received)


def wait_for_requests(process: Process, sandbox: Sandbox, count: int) -> None:
    while sandbox.requests() < count:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def test_5000_messages_two_runs_and_the_report(
    database: str, sql: Sql, start: Start, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "examples.seed", "--database", database]
    subprocess.run(command, cwd=EXAMPLES.parent, check=True)
    with Sandbox(messages=5000, settle_seconds=100_000) as api:
        assert start(HOURLY, TYNTEC_API_URL=api.url).communicate() == (OK.format("5,000"), "")
        assert len(requested(api)) == len(set(requested(api))) == 5000
    waiting = sql("SELECT requestid FROM message_status WHERE status = 'BUFFERED' ORDER BY 1")
    assert len(waiting) > 10
    with Sandbox(messages=5000, settle_seconds=0) as api:
        second = start(HOURLY, TYNTEC_API_URL=api.url)
        assert second.communicate() == (OK.format(len(waiting)), "")
        assert requested(api) == [request_id for (request_id,) in waiting]

    sql(VIEW)
    counts = "count(*), count(DISTINCT request_id), min(delivery_seconds), sum(price)"
    [(*rows, lowest, cost)] = sql(f"SELECT {counts} FROM sms_delivery WHERE is_final")
    assert rows == [5000, 5000]
    assert lowest >= 0
    report = start(REPORT, "--output", str(tmp_path), "--days", "32")
    assert report.communicate()[1] == ""
    page = (tmp_path / "delivery-report.html").read_text()
    assert "sms_delivery from " in page
    assert "5,000 messages" in page
    assert f"{cost:.2f} EUR" in page
    assert not any(recipient in page for _, _, recipient in Messages(5000).sent())
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r'(?:src|href)="(?!data:)', own)
    assert (tmp_path / "delivery-report.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_keeps_what_it_read(
    sql: Sql, start: Start, hourly: Run, sandbox: Sandbox, number: signal.Signals
) -> None:
    seed(sql, *known(sandbox, 400))
    sandbox.delay = 0.2
    process = start(HOURLY)
    wait_for_requests(process, sandbox, 300)
    process.send_signal(number)
    output, errors = process.communicate()

    assert (process.returncode != 0, output) == (True, "")
    if number != signal.SIGKILL:
        assert errors == "Stopped. What was read is stored. The next run reads the rest.\n"
    [(stored,)] = sql("SELECT count(*) FROM message_status")
    assert (150 if number == signal.SIGKILL else 285) <= stored < 400

    sandbox.received.clear()
    assert hourly() == (0, OK.format(400 - stored), "")
    assert sandbox.requests() == 400 - stored
    assert sql("SELECT count(DISTINCT requestid) FROM message_status") == [(400,)]


def test_ids_that_fail_are_read_by_the_next_run(sql: Sql, hourly: Run, sandbox: Sandbox) -> None:
    seed(sql, *known(sandbox, 20), "nobody-knows")
    sandbox.faults |= {"id-3": "id-of-another", "id-7": "id-of-another"}

    code, output, errors = hourly()

    assert (code, output) == (1, "")
    assert errors.startswith("18 of 21 message statuses read, 2 failed, 1 unknown.")
    assert errors.count("18 of 21") == 1
    assert {"id-3", "id-7"} <= set(re.findall(r"id-\d+", errors))
    sandbox.faults.clear()
    assert hourly()[0] == 0
    query = "SELECT status, count(*) FROM message_status GROUP BY 1 ORDER BY 1"
    assert sql(query) == [("DELIVERED", 20), ("UNKNOWN", 1)]


def test_unknown_ids_are_requested_for_two_days(sql: Sql, hourly: Run, sandbox: Sandbox) -> None:
    seed(sql, *known(sandbox, 1), "nobody-knows")
    line = "1 of 2 message statuses read, 0 failed, 1 unknown. 0 values are no request ids.\n"
    assert hourly() == (0, line, "")
    sandbox.received.clear()

    assert hourly()[0] == 1
    assert requested(sandbox) == ["nobody-knows"]
    sql("UPDATE message_status SET _airbyte_extracted_at = now() - INTERVAL '49 hours'")
    sandbox.received.clear()
    assert hourly() == (0, OK.format(0), "")
    assert requested(sandbox) == []


def test_a_column_without_known_ids_fails_each_time(
    sql: Sql, hourly: Run, sandbox: Sandbox
) -> None:
    sql("CREATE TABLE sent_messages (id integer, request_id text, sent_at date)")
    [request_id] = known(sandbox, 1)
    sql("INSERT INTO sent_messages VALUES (4711, $1, current_date)", request_id)

    for _ in range(2):
        code, output, errors = hourly("--id-column", "id")
        assert (code, output) == (1, "")
        assert "the column id of sent_messages, such as 4711." in errors
        assert LOOKS in errors
    assert requested(sandbox) == ["4711", "4711"]
    assert hourly() == (0, OK.format(1), "")


def test_a_column_without_request_ids_fails(sql: Sql, hourly: Run, sandbox: Sandbox) -> None:
    seed(sql, "+49 123", "to: you")

    code, output, errors = hourly()
    assert (code, output) == (1, "")
    assert "the column request_id of sent_messages" in errors
    assert LOOKS in errors
    assert requested(sandbox) == []


def test_a_late_price_is_read_for_two_days(sql: Sql, hourly: Run, sandbox: Sandbox) -> None:
    ids = known(sandbox, 2)
    for request_id, hours in zip(ids, (1, 49), strict=True):
        del sandbox.statuses[request_id]["overallPrice"]
        done = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - hours * 3600))
        sandbox.statuses[request_id]["doneDate"] = done
    seed(sql, *ids)
    assert hourly()[0] == 0
    sandbox.statuses["id-0"]["overallPrice"] = "0.07"
    sandbox.received.clear()

    assert hourly() == (0, OK.format(1), "")
    assert requested(sandbox) == ["id-0"]
    assert hourly() == (0, OK.format(0), "")
    sql(VIEW)
    assert float(sql("SELECT sum(price) FROM sms_delivery")[0][0]) == 0.07


def test_a_rate_limit_shows_no_json(sql: Sql, hourly: Run, sandbox: Sandbox) -> None:
    seed(sql, *known(sandbox, 30))
    sandbox.limit = Limit(10, "second")

    assert hourly() == (0, OK.format(30), "")
    assert sandbox.refused


def test_a_table_of_any_name_with_any_ids(sql: Sql, hourly: Run, sandbox: Sandbox) -> None:
    known(sandbox, 9)
    sql('CREATE SCHEMA "Out box"')
    sql('CREATE TABLE "Out box"."SMS; ""x" ("tyntec id" text, "When" timestamp, status integer)')
    ids = ["id-1", "id-1", " id-2\n", "id-3", "id-4", "id-5", None, "  ", "id-6,id-7", "../../sms"]
    days = [1, 2, 1, None, 90, 96, 1, 1, 1, 1]
    sql(
        """INSERT INTO "Out box"."SMS; ""x" SELECT unnest(CAST($1 AS text[])),
        now() AT TIME ZONE 'UTC' - unnest(CAST($2 AS integer[])) * INTERVAL '1 day', 0""",
        ids,
        days,
    )
    table = ("--table", 'Out box.SMS; "x', "--id-column", "tyntec id", "--sent-at-column", "When")

    line = OK.format(4).replace("0 values", "2 values")
    assert hourly(*table) == (0, line, "")
    assert requested(sandbox) == ["id-1", "id-2", "id-3", "id-4"]


def test_a_missing_column_names_those_there_are(sql: Sql, hourly: Run) -> None:
    seed(sql, "id-1")

    code, _, errors = hourly("--id-column", "Request_ID")
    assert code == 1
    assert errors == "sent_messages has no column Request_ID. It has request_id, sent_at.\n"


@pytest.mark.parametrize("kind", ["text", "bigint"])
def test_times_of_another_type_need_a_view(sql: Sql, hourly: Run, kind: str) -> None:
    sql(f"CREATE TABLE sent_messages (request_id text, sent_at {kind})")

    code, _, errors = hourly()
    assert code == 1
    assert re.fullmatch("sent_at is a .*A view can convert it: name that in --table.\n", errors)


def test_values_that_do_not_fit_do_no_harm(sql: Sql, hourly: Run, sandbox: Sandbox) -> None:
    [request_id] = known(sandbox, 1)
    odd = {"doneDate": "soon", "submitDate": 1527804000000, "reference": {"order": 1}}
    sandbox.statuses[request_id] |= odd | {"parts": None, "overallPrice": "free"}
    seed(sql, request_id)

    assert hourly()[0] == 0
    sql(VIEW)
    columns = "status, donedate, delivery_seconds, price, currency"
    assert sql(f"SELECT {columns} FROM sms_delivery") == [("DELIVERED", None, None, None, None)]
    assert sql("SELECT reference FROM message_status") == [('{"order": 1}',)]


def test_runs_never_overlap(sql: Sql, start: Start, hourly: Run, sandbox: Sandbox) -> None:
    seed(sql, *known(sandbox, 40))
    sandbox.delay = 4
    first = start(HOURLY)
    wait_for_requests(first, sandbox, 1)

    code, output, errors = hourly()

    assert (code, output) == (1, "")
    assert re.search("Another run has not ended|lock", errors)
    assert len(errors.splitlines()) == 1
    assert first.communicate() == (OK.format(40), "")
    assert sandbox.requests() == 40


def test_the_script_creates_only_its_table(sql: Sql, hourly: Run, sandbox: Sandbox) -> None:
    seed(sql, *known(sandbox, 1))
    sql("CREATE SCHEMA tyntec")

    assert hourly("--target-schema", "tyntec")[0] == 0

    query = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN "
    schemas = "('main', 'public', 'tyntec') ORDER BY 2"
    assert [name for _, name in sql(query + schemas)] == ["message_status", "sent_messages"]
    assert sql("SELECT count(*) FROM tyntec.message_status") == [(1,)]
    sql(VIEW.replace("FROM message_status", "FROM tyntec.message_status"))
    assert sql("SELECT status FROM sms_delivery") == [("DELIVERED",)]
    sql("DROP VIEW sms_delivery")
    sql("ALTER TABLE sent_messages DROP COLUMN sent_at")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_ordinary_role_uses_a_schema(
    database: str, sql: Sql, hourly: Run, sandbox: Sandbox
) -> None:
    seed(sql, *known(sandbox, 1))
    sql("DROP ROLE IF EXISTS reader")
    sql("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    sql("CREATE SCHEMA tyntec AUTHORIZATION reader")
    sql("GRANT SELECT ON sent_messages TO reader")
    url = database.replace("postgresql://me:p%25w%2Fd", "postgres://reader:reader")

    code, _, errors = hourly("--database", url)
    assert (code, errors.count("\n")) == (1, 1)
    assert "permission denied for schema public" in errors
    assert hourly("--database", url, "--target-schema", "tyntec") == (0, OK.format(1), "")


APPENDED = """
    INSERT INTO {0} VALUES
    ('id-1', 'BUFFERED', '2026-11-20 10:00:00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-20'),
    ('id-1', 'DELIVERED', '2026-11-20 10:00:00', '2026-11-20 10:00:07', NULL, NULL, '26201',
        '0.0350', '[{{"currency": "EUR"}}]', '2026-11-21'),
    ('id-2', 'UNDELIVERABLE', NULL, NULL, 'B', 'Teleservice', '26202', NULL, '[]', '2026-11-21')"""


@pytest.mark.parametrize("types", [("timestamptz", "jsonb"), ("timestamp", "json")])
def test_the_view_fits_a_table_of_airbyte(database: str, sql: Sql, types: tuple[str, str]) -> None:
    time_type, json_type = types
    json_type = "json" if database.startswith("duckdb") else json_type
    sql("CREATE SCHEMA airbyte")
    sql(
        "CREATE TABLE airbyte.message_status (requestid varchar, status varchar, "
        f"submitdate {time_type}, donedate {time_type}, errorcode varchar, errorreason varchar, "
        f"mccmnc varchar, overallprice varchar, parts {json_type}, "
        f"_airbyte_extracted_at {time_type})"
    )
    seed(sql, "id-1", "id-2", "id-3")
    sql(APPENDED.format("airbyte.message_status"))
    view = VIEW.replace("FROM message_status", "FROM airbyte.message_status")
    columns = (
        "request_id, status, is_final, CAST(delivery_seconds AS integer), CAST(price AS text), "
        "currency, errorcode, error_meaning, is_retried"
    )
    code = ("000b", "teleservice not provisioned", False)
    expected = [
        ("id-1", "DELIVERED", True, 7, "0.035000", "EUR", None, None, None),
        ("id-2", "UNDELIVERABLE", True, None, None, None, *code),
        ("id-3", None, False, None, None, None, None, None, None),
    ]

    sql(view)
    assert sql(f"SELECT {columns} FROM sms_delivery ORDER BY 1") == expected
    sql("DELETE FROM airbyte.message_status WHERE status = 'BUFFERED'")  # as deduplicated
    sql(view)
    assert sql(f"SELECT {columns} FROM sms_delivery ORDER BY 1") == expected


def test_a_report_without_any_status(sql: Sql, start: Start, tmp_path: Path) -> None:
    seed(sql, "id-1")
    columns = "errorreason text, mccmnc text, overallprice text, parts json"
    sql(
        "CREATE TABLE message_status (requestid text, status text, submitdate timestamptz, "
        f"donedate timestamptz, errorcode text, {columns}, _airbyte_extracted_at timestamptz)"
    )
    sql(VIEW)

    report = start(REPORT, "--output", str(tmp_path))

    assert report.communicate()[1] == ""
    assert "1 messages" in (tmp_path / "delivery-report.html").read_text()
    sql("DELETE FROM sent_messages")
    report = start(REPORT)
    assert report.communicate() == ("", "sms_delivery has no message of the last 30 days.\n")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:secret@127.0.0.1:9/postgres", "connection failed.*refused"),
        ("postgresql://me:a secret@host/db", "--database is not a valid URL"),
        ("duckdb:////nowhere/example.duckdb", "--database must be .*which must exist"),
        ("duckdb://two/slashes", "--database must be "),
        ("sqlite:///file", "--database must be "),
        ("mysql://here", "--database must be "),
        ("", "--database must be "),
    ],
)
def test_a_wrong_database_is_one_line(url: str, words: str) -> None:
    command = [sys.executable, HOURLY, "--database", url]
    process = subprocess.run(command, capture_output=True, text=True, check=False)

    assert process.returncode == 1
    assert re.match(words, process.stderr)
    assert "secret" not in process.stderr
    assert len(process.stderr.splitlines()) == 1


def test_days_and_help() -> None:
    for argument, words in ("--days=0", "--days must be at least 1"), ("--help", "UTC, if without"):
        command = [sys.executable, HOURLY, argument]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        assert words in process.stdout + process.stderr
