"""The command line of the sandbox."""

import argparse
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, get_args

from sandbox import Limit, Outage, Sandbox, limits, server
from sandbox.data import LISTS, STREAMS, Row
from sandbox.faults import NAMES, check_fault

_DESCRIPTION = """A stand-in for tyntec's API. It runs until Ctrl-C, or while a COMMAND runs,
which gets its address in the environment variable TYNTEC_API_URL:

    python -m sandbox --fault contacts=503:2 --limit 300/minute
    python -m sandbox --port 0 -- python main.py check --config examples/config.json"""


def _fault(text: str) -> tuple[str, str]:
    where, _, fault = text.partition("=")
    check_fault(fault)
    return where, fault


def _rows(text: str) -> tuple[str, list[Row]]:
    name, _, count = text.partition("=")
    if name not in LISTS or not count.isdigit():
        raise ValueError(f"{text!r}: write LIST=COUNT, where LIST is {', '.join(LISTS)}")
    return name, LISTS[name].rows(int(count))


def _parsed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A type for argparse, which hides the message of a ValueError."""

    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description=_DESCRIPTION,
        formatter_class=argparse.RawTextHelpFormatter,
        argument_default=argparse.SUPPRESS,  # the defaults are those of Sandbox
    )
    lists, paging, after = ", ".join(LISTS), get_args(server.Paging), get_args(server.AfterLast)
    where = "WHERE=FAULT[:N]"
    outage = (
        "such as 503:200:100, after 200 requests for 100 seconds;\nKIND is 503, reset or refuse"
    )
    faults = "WHERE is a stream or a request id; FAULT, of the first N requests or of all, is\n"
    faults += f"an HTTP status, 404-html, {', '.join(NAMES)}"
    add = parser.add_argument
    add("--port", type=int, default=8080, help="8080 by default; 0 takes a free one")
    add("--key", help="the API key, by default sandbox-key")
    add("--delay", type=float, metavar="SECONDS", help="the time before each response")
    add("--messages", type=int, metavar="COUNT", help="the number of generated message statuses")
    add("--no-byon", dest="byon", action="store_false", help=f"an account without {lists}")
    add("--rows", type=_parsed(_rows), action="append", metavar="LIST=COUNT", help=lists)
    add("--paging", choices=paging, help="how phone_numbers treats the parameter page")
    add("--after-last", choices=after, help="the response to a page after the last one")
    add("--fault", dest="faults", type=_parsed(_fault), action="append", metavar=where, help=faults)
    add("--retry-after", metavar="VALUE", help="the header of faults that are an HTTP status")
    add("--limit", type=_parsed(Limit.parse), metavar="COUNT/UNIT", help="such as 300/minute")
    add(
        "--limit-headers",
        choices=get_args(limits.Headers),
        default="kong-1",
        help="by default kong-1",
    )
    add("--outage", type=_parsed(Outage.parse), metavar="KIND:AFTER:SECONDS", help=outage)
    add("command", nargs="*", metavar="COMMAND")
    return parser


def main() -> int:
    """Serve while the command runs, or until Ctrl-C.

    Returns:
        The exit code of the command, or 1 if the port cannot be used.
    """
    parser = _parser()
    options = vars(parser.parse_args())
    command, headers = options.pop("command", []), options.pop("limit_headers")
    for name in ("rows", "faults"):
        options[name] = dict(options.get(name, []))
    sandbox = Sandbox(**options)
    if sandbox.limit:
        sandbox.limit.headers = headers
    for where in sandbox.faults:
        if where not in STREAMS and not sandbox.status(where):
            parser.error(f"--fault: {where!r} is no request id and no stream: {', '.join(STREAMS)}")
    if command and not shutil.which(command[0]):
        parser.error(f"there is no command {command[0]}")
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
