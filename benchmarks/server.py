"""The server that is measured against: message statuses and contacts, serialised before the first request.

    python -m benchmarks.server --delay 0.1 --contacts 0

Leaner than the sandbox, so that the time it takes does not hide what the contenders take. It prints its port and
answers until it is terminated.
"""

import argparse
import asyncio
import json

from aiohttp import web

from benchmarks.contenders import KEY
from integration_tests import sandbox_data

_PLACE = "the request id"


async def serve(delay: float, contacts: int) -> None:
    """Answer each status after `delay` seconds, and the list of `contacts` rows at once."""
    before, after = json.dumps(sandbox_data.status(_PLACE)).encode().split(_PLACE.encode())
    rows = sandbox_data.contacts(contacts)
    listed = json.dumps({"contacts": rows, "size": len(rows)}).encode()

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.headers.get("apikey") != KEY:
            return web.json_response({"message": "Invalid authentication credentials"}, status=401)
        if request.path == "/byon/contacts/v1":
            return web.Response(body=listed, content_type="application/json")
        if delay:
            await asyncio.sleep(delay)
        request_id = request.path.rpartition("/")[2].encode()
        return web.Response(body=before + request_id + after, content_type="application/json")

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server", description=__doc__)
    parser.add_argument("--delay", type=float, default=0, help="seconds before the answer with a status")
    parser.add_argument("--contacts", type=int, default=0, help="rows in the list of contacts")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.delay, arguments.contacts))
