"""The server that is measured against: message statuses and contacts, serialised before the first request.

    python -m benchmarks.server --delay 0.1 --contacts 0 --limit '{"count": 10}'

Leaner than the sandbox, so that the time it takes does not hide what the contenders take. It prints its port, answers
until it is terminated, and then prints how many requests it let through and refused, and the seconds from the first
request to the last answer, as JSON.
"""

import argparse
import asyncio
import json
import signal
import time

from aiohttp import web

from benchmarks.contenders import KEY
from integration_tests import sandbox_data
from integration_tests.sandbox_limits import Drop, Limit

_PLACE = "the request id"


async def serve(delay: float, contacts: int, limit: Limit | None) -> None:
    """Answer each status after `delay` seconds, as far as `limit` allows, and the list of `contacts` rows at once."""
    before, after = json.dumps(sandbox_data.status(_PLACE)).encode().split(_PLACE.encode())
    rows = sandbox_data.contacts(contacts)
    listed = json.dumps({"contacts": rows, "size": len(rows)}).encode()
    answered = refused = 0
    first = last = 0.0

    async def answer(request: web.BaseRequest) -> web.Response:
        nonlocal answered, refused, first, last
        first = first or time.perf_counter()
        if request.headers.get("apikey") != KEY:
            return web.json_response({"message": "Invalid authentication credentials"}, status=401)
        if request.path == "/byon/contacts/v1":
            return web.Response(body=listed, content_type="application/json")
        admitted, headers = limit.admit(KEY) if limit else (True, None)
        if delay:
            await asyncio.sleep(delay)
        last = time.perf_counter()
        if not admitted:
            refused += 1
            return web.json_response({"message": "API rate limit exceeded"}, status=429, headers=headers)
        answered += 1
        request_id = request.path.rpartition("/")[2].encode()
        return web.Response(body=before + request_id + after, content_type="application/json", headers=headers)

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await ended.wait()
    print(json.dumps({"answered": answered, "refused": refused, "seconds": last - first}))


def parse_limit(text: str) -> Limit:
    """A limit as JSON, its fields by name."""
    fields = json.loads(text)
    drop = fields.pop("drop", None)
    return Limit(**fields, drop=drop and Drop(*drop))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server", description=__doc__)
    parser.add_argument("--delay", type=float, default=0, help="seconds before the answer with a status")
    parser.add_argument("--contacts", type=int, default=0, help="rows in the list of contacts")
    parser.add_argument("--limit", type=parse_limit, help="the rate limit of statuses, as JSON")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.delay, arguments.contacts, arguments.limit))
