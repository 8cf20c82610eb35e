"""Fills a table of sent messages as a sending application would keep it, with the messages of the sandbox.

    python -m examples.seed --database duckdb:///example.duckdb --messages 5000

The sandbox knows these request ids if it was started with `--messages 5000` on the same day.
"""

import argparse
import os
import sys

import sqlalchemy as sa

from integration_tests.sandbox_messages import Messages

SENT_MESSAGES = sa.Table(
    "sent_messages",
    sa.MetaData(),
    sa.Column("request_id", sa.Text),
    sa.Column("sent_at", sa.DateTime(timezone=True)),
    sa.Column("recipient", sa.Text),
)


def main() -> None:
    """Create the table anew and fill it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    url = os.environ.get("DATABASE_URL")
    parser.add_argument("--database", default=url, metavar="URL", help="postgresql://… or duckdb:///path/to/file")
    parser.add_argument("--messages", type=int, default=5000, help="how many (default: %(default)s)")
    options = parser.parse_args()
    if not options.database:
        sys.exit("Name the database: --database URL, or the environment variable DATABASE_URL.")
    columns = ("request_id", "sent_at", "recipient")
    rows = [dict(zip(columns, message, strict=True)) for message in Messages(options.messages).sent()]
    with sa.create_engine(options.database).begin() as connection:
        SENT_MESSAGES.drop(connection, checkfirst=True)
        SENT_MESSAGES.create(connection)
        for start in range(0, len(rows), 1000):
            connection.execute(sa.insert(SENT_MESSAGES).values(rows[start : start + 1000]))
    print(f"sent_messages holds {len(rows):,} messages.")


if __name__ == "__main__":
    main()
