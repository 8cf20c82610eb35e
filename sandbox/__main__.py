"""The command line of the sandbox."""

import argparse
import os
import shutil
import subprocess
import sys
import threading
from typing import Any, get_args

from sandbox import Limit, Outage, Sandbox, server
from sandbox.data import LISTS, STREAMS
from sandbox.faults import NAMES

_DESCRIPTION = """A stand-in for tyntec's API. It runs until Ctrl-C, or while a COMMAND runs,
which gets its address in the environment variable TYNTEC_API_URL:

    python -m sandbox --fault contacts=503:2 --limit 300/minute
    python -m sandbox --port 0 -- python main.py check --config examples/config.json"""
_FAULT = f"""WHERE is a stream or a request id. FAULT, of the first N requests or of
all, is an HTTP status, 404-html, {", ".join(NAMES)}"""
_LIMIT = """such as 300/minute or 300/minute:retry-after; HEADERS is none,
retry-after, kong-1 (the default) or kong-2"""
_OUTAGE = """such as 503:200:100, after 200 requests for 100 seconds;
KIND is 503, reset or refuse"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description=_DESCRIPTION,
        formatter_class=argparse.RawTextHelpFormatter,
        argument_default=argparse.SUPPRESS,  # the defaults are those of Sandbox
    )
    lists, paging, after = ", ".join(LISTS), get_args(server.Paging), get_args(server.AfterLast)
    where = "WHERE=FAULT[:N]"
    add = parser.add_argument
    add("--port", type=int, default=8080, help="8080 by default; 0 takes a free one")
    add("--key", help="the API key, by default sandbox-key")
    add("--delay", type=float, metavar="SECONDS", help="the time before each response")
    add("--messages", type=int, metavar="COUNT", help="the number of generated message statuses")
    add("--no-byon", dest="byon", action="store_false", help=f"an account without {lists}")
    add("--rows", action="append", default=[], metavar="LIST=COUNT", help=lists)
    add("--paging", choices=paging, help="how phone_numbers treats the parameter page")
    add("--after-last", choices=after, help="the response to a page after the last one")
    add("--fault", dest="faults", action="append", default=[], metavar=where, help=_FAULT)
    add("--retry-after", metavar="VALUE", help="the header of faults that are an HTTP status")
    add("--limit", metavar="COUNT/UNIT[:HEADERS]", help=_LIMIT)
    add("--outage", metavar="KIND:AFTER:SECONDS", help=_OUTAGE)
    add("command", nargs="*", metavar="COMMAND")
    return parser


def _sandbox(options: dict[str, Any]) -> Sandbox:
    """Create the sandbox.

    Raises:
        ValueError: if an option is not valid.
    """
    for name, parse in ("limit", Limit.parse), ("outage", Outage.parse):
        if name in options:
            options[name] = parse(options[name])
    counts = dict(text.partition("=")[::2] for text in options["rows"])
    if unknown := counts.keys() - LISTS.keys():
        raise ValueError(f"unknown lists {', '.join(unknown)}: known are {', '.join(LISTS)}")
    options["rows"] = {name: LISTS[name].rows(int(count)) for name, count in counts.items()}
    options["faults"] = dict(text.partition("=")[::2] for text in options["faults"])
    sandbox = Sandbox(**options)
    for where in sandbox.faults:
        if where not in STREAMS and not sandbox.status(where):
            raise ValueError(f"{where!r} is no request id and no stream: {', '.join(STREAMS)}")
    return sandbox


def main() -> int:
    """Serve while the command runs, or until Ctrl-C.

    Returns:
        The exit code of the command, or 1 if the port cannot be used.
    """
    parser = _parser()
    options = vars(parser.parse_args())
    command = options.pop("command", [])
    if command and not shutil.which(command[0]):
        parser.error(f"there is no command {command[0]}")
    try:
        sandbox = _sandbox(options)
    except ValueError as error:
        parser.error(str(error))
    try:
        with sandbox:
            if command:
                environment = {**os.environ, "TYNTEC_API_URL": sandbox.url}
                return subprocess.run(command, env=environment, check=False).returncode
            print(f"The sandbox listens on {sandbox.url}. Its API key is {sandbox.key}.")
            print("Some request ids:", *sandbox.statuses, sep="\n    ")
            print("Stop it with Ctrl-C.", flush=True)
            threading.Event().wait()
    except OSError as error:
        print(f"The sandbox cannot use port {sandbox.port}: {error.strerror}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
