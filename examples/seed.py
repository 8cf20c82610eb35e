"""Fills a table of sent messages, as an application keeps it, with the messages of the sandbox.

    python -m examples.seed --database duckdb:///example.duckdb --messages 5000

A sandbox that is started with `--messages 5000` on the same day knows these request ids.
"""

import os
from argparse import ArgumentParser, RawTextHelpFormatter
from typing import Any

import duckdb
import psycopg

from sandbox.messages import Messages


def main() -> None:
    """Replace the table `sent_messages`."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
    add, url = parser.add_argument, os.environ.get("DATABASE_URL", "")
    add("--database", default=url, metavar="URL", help="postgresql://… or duckdb:///path/to/file")
    add("--messages", type=int, default=5000, help="how many (default: %(default)s)")
    options = parser.parse_args()
    db: Any
    if options.database.startswith("duckdb:///"):
        db = duckdb.connect(options.database.removeprefix("duckdb:///"))
    else:
        db = psycopg.connect(options.database, autocommit=True, cursor_factory=psycopg.RawCursor)
    rows = Messages(options.messages).sent()
    db.execute("DROP TABLE IF EXISTS sent_messages CASCADE")
    db.execute("CREATE TABLE sent_messages (request_id text, sent_at timestamptz, recipient text)")
    db.execute(
        "INSERT INTO sent_messages SELECT unnest(CAST($1 AS text[])), "
        "unnest(CAST($2 AS timestamptz[])), unnest(CAST($3 AS text[]))",
        [list(column) for column in zip(*rows, strict=True)],
    )
    print(f"The table sent_messages holds {len(rows):,} messages.")


if __name__ == "__main__":
    main()
