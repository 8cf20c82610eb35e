"""Makes a configured catalog, which `read` needs, from the output of `discover`.

    source-tyntec-sms discover --config secrets/config.json | python -m tools.catalog > catalog.json

Arguments are the names of the streams to select; without any, all are.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any


def configured(streams: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A configured catalog that reads each of the discovered `streams` in full."""
    modes = {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    return {"streams": [{"stream": stream, **modes} for stream in streams]}


def main() -> None:
    """Print the configured catalog."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.catalog",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("streams", nargs="*", metavar="STREAM", help="a stream to select")
    names = parser.parse_args().streams
    catalogs = [
        message["catalog"] for message in map(json.loads, sys.stdin) if "catalog" in message
    ]
    found = {stream["name"]: stream for catalog in catalogs for stream in catalog["streams"]}
    if not found:
        sys.exit("The input has no catalog: pipe the output of discover into this command.")
    if unknown := [name for name in names if name not in found]:
        parser.error(f"unknown streams {', '.join(unknown)}: known are {', '.join(found)}")
    print(json.dumps(configured(found[name] for name in names or found), indent=2))


if __name__ == "__main__":
    main()
