"""Reads the delivery status of the messages that you sent into the database that lists them.

    export TYNTEC_API_KEY=… DATABASE_URL=postgresql://user:password@host/database
    python hourly_statuses.py --table sent_messages --id-column request_id --sent-at-column sent_at

Run it every hour; copy and change it as you like. It takes the request ids from your table, leaves out those whose
status is final and those older than tyntec keeps, and merges the status of the rest into the table `message_status`.
The view `sms_delivery` joins both tables; it is created once, and yours to change.

It needs PyAirbyte (`pip install airbyte`) and the connector in the same environment.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from airbyte_cdk.utils.datetime_helpers import ab_datetime_try_parse
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.elements import quoted_name

FINAL = ("DELIVERED", "EXPIRED", "REJECTED", "UNDELIVERABLE")
# tyntec keeps a status for three months after it became final, which can be some days after the message was sent.
DAYS_KEPT = 95
IDS_PER_READ = 10_000  # in one run of the connector
ROWS_PER_TRANSACTION = 500
LOCK = 8_983_651_176  # any number that no other application locks

TEXTS = ("status", "from", "to", "errorcode", "errorreason", "href", "mccmnc", "ttid", "overallprice", "reference")
TIMES = ("submitdate", "donedate", "priceeffective", "_airbyte_extracted_at")
MESSAGE_STATUS = sa.Table(
    "message_status",
    sa.MetaData(),
    sa.Column("requestid", sa.Text, nullable=False),
    *(sa.Column(name, sa.Text) for name in TEXTS),
    sa.Column("size", sa.BigInteger),
    sa.Column("parts", sa.JSON(none_as_null=True)),
    *(sa.Column(name, sa.DateTime(timezone=True)) for name in TIMES),
)
STATUS = MESSAGE_STATUS.c


def main() -> None:
    """One run. Exits with 1 if an id could not be read, or if nothing could be done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    url = os.environ.get("DATABASE_URL")
    parser.add_argument("--database", default=url, metavar="URL", help="postgresql://… or duckdb:///path/to/file")
    parser.add_argument("--table", default="sent_messages", help="your table, or schema.table (default: %(default)s)")
    parser.add_argument("--id-column", default="request_id", help="holds the requestId (default: %(default)s)")
    parser.add_argument("--sent-at-column", default="sent_at", help="a date or timestamp (default: %(default)s)")
    parser.add_argument("--days", type=int, default=DAYS_KEPT, help="how far to look back (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=10, help="requests at the same time (default: %(default)s)")
    options = parser.parse_args()
    if not options.database:
        sys.exit("Name the database: --database URL, or the environment variable DATABASE_URL.")
    if not os.environ.get("TYNTEC_API_KEY", "").strip():
        sys.exit("Set the environment variable TYNTEC_API_KEY to your API key.")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit("Stopped. What was read is stored; the next run reads the rest."))
    try:
        with sa.create_engine(options.database).connect() as connection:
            run(connection, options)
    except sa.exc.DBAPIError as error:
        sys.exit(f"The database says: {' '.join(str(error.orig).split())}")
    except sa.exc.SQLAlchemyError as error:
        sys.exit(f"The database URL can't be used: {error}")
    except ImportError as error:
        sys.exit(f"A package is missing: {error}")


def run(connection: sa.Connection, options: argparse.Namespace) -> None:
    """Ask for each message that has no final status yet, and sum up in one line what came of it."""
    # Two runs never overlap. A DuckDB file can't be opened by a second process anyway.
    if connection.dialect.name == "postgresql" and not connection.scalar(sa.func.pg_try_advisory_lock(LOCK)):
        sys.exit("Another run is still at work, so this one did nothing.")
    connection.execute(sa.text("SET TimeZone = 'UTC'"))
    schema, _, name = options.table.rpartition(".")
    id_column: sa.ColumnClause[Any] = sa.column(quoted_name(options.id_column, quote=True))
    sent_at: sa.ColumnClause[Any] = sa.column(quoted_name(options.sent_at_column, quote=True))
    table = sa.table(quoted_name(name, quote=True), schema=quoted_name(schema, quote=True) if schema else None)
    request_id = sa.func.trim(sa.cast(id_column, sa.Text), " \t\r\n")
    sent = sa.select(request_id.label("request_id"), sent_at.label("sent_at")).select_from(table).subquery("sent")

    create_table_and_view(connection, sent)
    ids = ids_to_ask(connection, sent, options.days)
    connection.commit()
    if not ids:
        print(f"Nothing to ask: no message in {options.table} is waiting for its final status.")
        return

    asked = final = pending = unknown = failed = 0
    errors = []
    # PyAirbyte writes the settings, with the key, to a file that everybody may read: hence a folder that is private.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        # PyAirbyte then asks no registry and reports no usage. It reads these variables while it is imported.
        os.environ.update(AIRBYTE_OFFLINE_MODE="1", DO_NOT_TRACK="1")
        os.environ.update(AIRBYTE_TEMP_DIR=folder, AIRBYTE_LOGGING_ROOT=folder)
        for start in range(0, len(ids), IDS_PER_READ):
            some = ids[start : start + IDS_PER_READ]
            statuses, log = read(connection, some, options.workers)
            missing = len(some) - len(statuses)
            asked += len(some)
            final += sum(status in FINAL for status in statuses.values())
            pending += sum(status not in FINAL for status in statuses.values())
            unknown += min(log.unknown, missing) if log.failed else missing
            failed = asked - final - pending - unknown
            if log.error and failed:
                errors.append(log.error)
            if failed and not statuses:
                break  # the key, or the connection: the other ids would meet the same
    for error in dict.fromkeys(errors):
        print(error, file=sys.stderr)
    print(f"{asked:,} asked: {final:,} final, {pending:,} pending, {unknown:,} unknown, {failed:,} failed.")
    sys.exit(1 if failed else 0)


def create_table_and_view(connection: sa.Connection, sent: sa.Subquery) -> None:
    """Create the table `message_status` and the view `sms_delivery`, unless they exist."""
    MESSAGE_STATUS.create(connection, checkfirst=True)
    # Not a primary key, so that it also fits a table that PyAirbyte itself created.
    connection.execute(sa.text("CREATE UNIQUE INDEX IF NOT EXISTS message_status_key ON message_status (requestid)"))
    if not sa.inspect(connection).has_table("sms_delivery"):
        seconds = sa.case((STATUS.status == "DELIVERED", sa.extract("epoch", STATUS.donedate - STATUS.submitdate)))
        columns = (column for column in STATUS if column is not STATUS.requestid)
        view = sa.select(sent, seconds.label("delivery_seconds"), *columns).select_from(
            sent.outerjoin(MESSAGE_STATUS, STATUS.requestid == sent.c.request_id)
        )
        sql = view.compile(connection, compile_kwargs={"literal_binds": True})
        connection.exec_driver_sql(f"CREATE VIEW sms_delivery AS {sql}")


def ids_to_ask(connection: sa.Connection, sent: sa.Subquery, days: int) -> list[str]:
    """The ids of the messages of so many days that have no final status yet, the latest first."""
    since = sa.func.now() - sa.text(f"INTERVAL '{days} days'")
    is_final = sa.exists().where(STATUS.requestid == sent.c.request_id, STATUS.status.in_(FINAL))
    query = (
        sa.select(sent.c.request_id)
        .where(sent.c.request_id != "", sa.or_(sent.c.sent_at.is_(None), sent.c.sent_at >= since), ~is_final)
        .group_by(sent.c.request_id)
        .order_by(sa.func.max(sent.c.sent_at).desc(), sent.c.request_id)
    )
    ids: dict[bool, list[str]] = {True: [], False: []}
    for request_id in connection.scalars(query):
        ids[re.fullmatch(r"[0-9A-Za-z_-]+", request_id) is not None].append(request_id)
    if ids[False]:
        print(f"{len(ids[False]):,} left out that can't be request ids, such as {ids[False][0]!r}.", file=sys.stderr)
    return ids[True]


class ConnectorLog(logging.Handler):
    """What the connector says: PyAirbyte logs all of it, but its exceptions don't tell."""

    failed = False
    error = ""  # the first one
    unknown = 0  # how many ids tyntec doesn't know or refuses, as the latest line of progress says

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a line."""
        message = record.getMessage()
        if record.levelno >= logging.ERROR:
            self.error = self.error or message
        elif re.match(r"[\d,]+ of [\d,]+ request ids asked: ", message):
            counts = re.findall(r"([\d,]+) (?:unknown|refused)", message)
            self.unknown = sum(int(count.replace(",", "")) for count in counts)


def read(connection: sa.Connection, ids: list[str], workers: int) -> tuple[dict[str, str | None], ConnectorLog]:
    """Ask for ids through the connector, and store each row soon after it comes in.

    Returns the status of each id that was read, and what the connector said.
    """
    import airbyte as ab  # noqa: PLC0415  # takes seconds, and is not needed if there is nothing to ask

    log = ConnectorLog()
    statuses: dict[str, str | None] = {}
    waiting: list[dict[str, Any]] = []
    config = {
        "api_key": os.environ["TYNTEC_API_KEY"],
        "message_request_id": ids[0],
        "additional_message_request_ids": ids[1:],
        "num_workers": workers,
    }
    try:
        # Beside this Python, or wherever else the shell would find it.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        executable = shutil.which("source-tyntec-sms", path=path) or "source-tyntec-sms"
        source = ab.get_source("source-tyntec-sms", local_executable=executable, config=config)
        logging.getLogger("airbyte.source-tyntec-sms").addHandler(log)
        # Not source.read(cache): if one id fails, that stores none. And not without the variable: PyAirbyte cancels
        # the sync once nothing refers to what get_records() returned.
        records = source.get_records("message_status", normalize_field_names=True)
        for record in records:
            statuses[record["requestid"]] = record["status"]
            waiting.append(record)
            if len(waiting) == ROWS_PER_TRANSACTION:
                store(connection, waiting)
                waiting = []
    except ab.exceptions.PyAirbyteError as error:
        log.failed = True
        log.error = log.error or f"PyAirbyte says: {error.get_message()}"
    store(connection, waiting)
    return {request_id: statuses[request_id] for request_id in ids if request_id in statuses}, log


def store(connection: sa.Connection, records: list[dict[str, Any]]) -> None:
    """Merge records into `message_status`, in one transaction."""
    rows = {record["requestid"]: {it.name: fitting(it, record.get(it.name)) for it in STATUS} for record in records}
    if rows:
        statement = insert(MESSAGE_STATUS).values(list(rows.values()))
        new = {it.name: statement.excluded[it.name] for it in STATUS if it is not STATUS.requestid}
        connection.execute(statement.on_conflict_do_update(index_elements=[STATUS.requestid], set_=new))
        connection.commit()


def fitting(column: sa.Column[Any], value: Any) -> Any:
    """A value as its column can hold it. The connector passes values that it can't convert through unchanged."""
    if isinstance(column.type, sa.DateTime):
        return ab_datetime_try_parse(value) if isinstance(value, str) else value
    if isinstance(column.type, sa.BigInteger):
        return value if isinstance(value, int) else None
    if isinstance(column.type, sa.Text) and value is not None:
        return value if isinstance(value, str) else json.dumps(value)
    return value


if __name__ == "__main__":
    main()
