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
    path = options.database.removeprefix("duckdb:///")
    db: Any = psycopg.connect(path) if path == options.database else duckdb.connect(path)
    columns = "request_id text, sent_at timestamptz, recipient text"
    db.execute("DROP TABLE IF EXISTS sent_messages CASCADE")
    db.execute(f"CREATE TABLE sent_messages ({columns})")
    mark = "%s" if isinstance(db, psycopg.Connection) else "?"
    rows = Messages(options.messages).sent()
    arrays = ", ".join(f"unnest({mark})" for _ in range(3))
    db.execute(f"INSERT INTO sent_messages SELECT {arrays}", [list(each) for each in zip(*rows)])
    db.commit()
    print(f"The table sent_messages holds {len(rows):,} messages.")


if __name__ == "__main__":
    main()
