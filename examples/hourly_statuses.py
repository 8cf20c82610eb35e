"""Reads the delivery status of the messages in your table into the same database.

    pip install duckdb 'psycopg[binary]' tqdm .
    export TYNTEC_API_KEY=… DATABASE_URL=postgresql://user:password@host/database
    python hourly_statuses.py --table sent_messages --id-column request_id --sent-at-column sent_at

Run it every hour. It merges each status that is not final yet into the table message_status.
"""

import json
import logging
import os
import signal
import sys
from argparse import ArgumentParser, Namespace, RawTextHelpFormatter
from contextlib import redirect_stdout
from pathlib import Path
from time import monotonic
from typing import Any

import duckdb
import psycopg
from airbyte_cdk import AirbyteTracedException
from airbyte_cdk.utils.datetime_helpers import ab_datetime_try_parse
from psycopg.sql import Identifier
from tqdm import tqdm

from source_tyntec_sms import SourceTyntecSms
from source_tyntec_sms.config import REQUEST_ID
from source_tyntec_sms.errors import UnknownIdError
from source_tyntec_sms.report import Report

TEXTS = "requestId status from to errorCode errorReason href mccmnc ttid overallPrice reference"
TYPES = dict.fromkeys(TEXTS.split(), "text") | {"size": "bigint", "parts": "json"}
TYPES |= dict.fromkeys(("submitDate", "doneDate", "priceEffective"), "timestamptz")
NAMES = [f'"{name.lower()}"' for name in TYPES]  # as Airbyte does, for sms_delivery.sql
DUE = """id <> '' AND (sent_at IS NULL OR sent_at >= now() - $1 * INTERVAL '1 day') AND CASE
    WHEN status IN ('DELIVERED', 'EXPIRED', 'REJECTED', 'UNDELIVERABLE') THEN  -- late prices
        overallprice IS NULL AND coalesce(donedate, sent_at) >= now() - INTERVAL '2 days'
    WHEN status = 'UNKNOWN' THEN _airbyte_extracted_at >= now() - INTERVAL '2 days'  -- to tyntec
    ELSE true END GROUP BY id ORDER BY max(sent_at) DESC"""


def main() -> None:
    """Run once. The exit code is 1 if a status failed, or if tyntec knows none of the ids."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    add, url = parser.add_argument, os.environ.get("DATABASE_URL", "")
    add("--database", default=url, metavar="URL", help="postgresql://… or duckdb:///path/to/file")
    add("--table", default="sent_messages", help="table or schema.table (default: %(default)s)")
    add("--id-column", default="request_id", help="case-sensitive (default: %(default)s)")
    add("--sent-at-column", default="sent_at", help="UTC, if without a zone (default: %(default)s)")
    add("--target-schema", help="where message_status is (default: that of the connection)")
    add("--days", type=int, default=95, help="how far to look back (default: %(default)s)")
    add("--workers", type=int, default=10, help="requests at the same time (default: %(default)s)")
    options = parser.parse_args()
    if options.days < 1:
        parser.error("--days must be at least 1")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(options)
    except KeyboardInterrupt:
        sys.exit("Stopped. What was read is stored. The next run reads the rest.")
    except (AirbyteTracedException, duckdb.Error, psycopg.Error) as error:
        is_url = type(error) is psycopg.ProgrammingError  # SQL errors are subclasses
        sys.exit("--database is not a valid URL." if is_url else " ".join(str(error).split()))


def run(options: Namespace) -> None:
    """Read the statuses that are due. Exits if the options do not fit the database."""
    db: Any = options.database  # in both databases, $1 is a parameter
    if db.startswith("duckdb:///") and Path(db[10:]).is_file():
        db = duckdb.connect(db[10:], config={"threads": 1, "memory_limit": "32MB"})
    elif db.startswith(("postgres://", "postgresql://")):
        db = psycopg.connect(db, autocommit=True, cursor_factory=psycopg.RawCursor)
        if db.execute("SELECT pg_try_advisory_lock(8983651176)").fetchone() == (False,):
            sys.exit("Another run has not ended, so this one did nothing.")
    else:
        sys.exit("--database must be postgresql://… or duckdb:///path/to/file, which must exist.")
    table, id_column, sent_at = options.table, options.id_column, options.sent_at_column
    source = Identifier(*table.rsplit(".", 1)).as_string()
    target = Identifier(*filter(None, (options.target_schema, "message_status"))).as_string()
    found = db.execute(f"SELECT * FROM {source} LIMIT 0").description
    types = {each[0]: str(getattr(each, "type_display", each[1])).lower() for each in found}
    if missing := {id_column, sent_at} - types.keys():
        sys.exit(f"{table} has no column {min(missing)}. It has {', '.join(types)}.")
    if not types[sent_at].startswith(("date", "timestamp")):
        sys.exit(f"{sent_at} is a {types[sent_at]}. A view can convert it: name that in --table.")
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(NAMES, TYPES.values(), strict=True))
    columns += ", _airbyte_extracted_at timestamptz DEFAULT now(), PRIMARY KEY (requestid)"
    db.execute(f"SET TimeZone = 'UTC'; CREATE TABLE IF NOT EXISTS {target} ({columns})")
    select = f"""SELECT id FROM (SELECT CAST({Identifier(sent_at).as_string()} AS timestamptz) AS
        sent_at, trim(CAST({Identifier(id_column).as_string()} AS text), E' \\t\\r\\n') AS id
        FROM {source}) AS sent LEFT JOIN {target} ON requestid = id WHERE"""
    is_new = not db.execute(f"{select} status <> 'UNKNOWN' LIMIT 1").fetchone()
    due = [row[0] for row in iter(db.execute(f"{select} {DUE}", [options.days]).fetchone, None)]
    ids = list(filter(REQUEST_ID.fullmatch, due))
    report, unknown = read(db, target, ids, options.workers)
    if due and is_new and len(unknown) == len(ids):
        sys.exit(f"""tyntec knows no id in the column {id_column} of {table}, such as {due[0]}. A \
request id looks like e74db8d4-77ad-4671-8feb-9bc76b0df188: tyntec returns it as requestId when \
you send an SMS. The ids of the live key are unknown to the trial key.""")
    store(db, target, unknown)
    if ids:
        report.finish()
    print(f"{report} {len(due) - len(ids):,} values are no request ids.")


def read(db: Any, target: str, ids: list[str], workers: int) -> tuple[Report, list[dict[str, Any]]]:
    """Read and store statuses. Returns the outcome, and the rows for unknown ids."""
    logging.disable()
    config = {"api_key": os.environ.get("TYNTEC_API_KEY"), "message_request_id": "any"}
    stream: Any = SourceTyntecSms().streams(config | {"num_workers": workers})[0]
    report, unknown, rows, store_at = Report(len(ids), stream.logger), [], [], 0.0
    try:
        with redirect_stdout(None):  # which gets a status for Airbyte during a rate limit
            for request_id, outcome in tqdm(stream.outcomes(ids), total=len(ids), disable=None):
                report.add(request_id, outcome)
                if isinstance(outcome, dict):
                    stream.transformer.transform(outcome, {})
                    rows.append(outcome)
                elif isinstance(outcome, UnknownIdError):
                    unknown.append({"requestId": request_id, "status": "UNKNOWN"})
                if report.is_hopeless:
                    break
                if monotonic() >= store_at:
                    store(db, target, rows)
                    rows, store_at = [], monotonic() + 1
    finally:
        store(db, target, rows)
    return report, unknown


def store(db: Any, target: str, rows: list[dict[str, Any]]) -> None:
    """Merge rows into the table, where UNKNOWN replaces no status."""

    def fitting(value: Any, kind: str) -> Any:
        if kind == "timestamptz":
            return ab_datetime_try_parse(value)
        return value if value is None or isinstance(value, str) else json.dumps(value)

    values = [[fitting(row.get(name), kind) for row in rows] for name, kind in TYPES.items()]
    arrays = (f"unnest(CAST(${i} AS {kind}[]))" for i, kind in enumerate(TYPES.values(), start=1))
    new = ", ".join(f"{name} = excluded.{name}" for name in [*NAMES, "_airbyte_extracted_at"])
    insert = f"INSERT INTO {target} ({', '.join(NAMES)}) SELECT {', '.join(arrays)}"
    merge = f"ON CONFLICT (requestid) DO UPDATE SET {new} WHERE excluded.status <> 'UNKNOWN'"
    db.execute(f"{insert} {merge}", values)


if __name__ == "__main__":
    main()
