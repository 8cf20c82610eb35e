"""Makes a configured catalog, which `read` needs, of what `discover` prints.

    python main.py discover --config secrets/config.json | python -m integration_tests.catalog > secrets/catalog.json

Names of streams as arguments select these streams. Without any, all are selected.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any


def configured(streams: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A catalog that selects each of the discovered `streams` in full."""
    return {
        "streams": [
            {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"} for stream in streams
        ]
    }


def main() -> int:
    """The exit code: 0 if all went well, 1 if the input holds no catalog, 2 if a stream is not in it."""
    parser = argparse.ArgumentParser(
        prog="python -m integration_tests.catalog",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("streams", nargs="*", metavar="STREAM", help="a stream to select")
    wanted = parser.parse_args().streams
    messages = [json.loads(line) for line in sys.stdin]
    discovered = {
        stream["name"]: stream
        for message in messages
        if "catalog" in message
        for stream in message["catalog"]["streams"]
    }
    if not discovered:
        print("The input holds no catalog. Give it what discover prints.", file=sys.stderr)
        return 1
    if unknown := [name for name in wanted if name not in discovered]:
        parser.error(f"no stream {', '.join(unknown)}: there are {', '.join(discovered)}")
    print(json.dumps(configured(discovered[name] for name in wanted or discovered), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
