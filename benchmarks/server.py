"""The server that the benchmarks read from. It takes less time for a response than the sandbox."""

import asyncio
import json
import time
from multiprocessing.connection import Connection

from aiohttp import web

from sandbox import Limit, data

_PLACE = "the request id"


def run(pipe: Connection, delay: float, contacts: int, limit: str) -> None:
    """Send the port through `pipe`, and serve until a message arrives.

    Then send when the first request was received and when the last status was sent, in seconds
    since the epoch.

    Args:
        pipe: to the process that started this one.
        delay: the seconds before each status.
        contacts: the number of rows in the list of contacts.
        limit: the rate limit of statuses, as `Limit.parse` takes it, or nothing.
    """
    asyncio.run(_serve(pipe, delay, contacts, Limit.parse(limit) if limit else None))


async def _serve(pipe: Connection, delay: float, contacts: int, limit: Limit | None) -> None:
    before, after = json.dumps(data.status(_PLACE)).encode().split(_PLACE.encode())
    listed = json.dumps({"contacts": data.contacts(contacts), "size": contacts}).encode()
    first = last = 0.0

    async def respond(request: web.BaseRequest) -> web.Response:
        nonlocal first, last
        first = first or time.time()
        if not request.path.startswith(data.STATUS_PATH):
            return web.Response(body=listed, content_type="application/json")
        admitted, headers = limit.admit("") if limit else (True, None)
        if delay:
            await asyncio.sleep(delay)
        if not admitted:
            return web.json_response({"message": "limit exceeded"}, status=429, headers=headers)
        last = time.time()
        body = before + request.path.removeprefix(data.STATUS_PATH).encode() + after
        return web.Response(body=body, content_type="application/json", headers=headers)

    runner = web.ServerRunner(web.Server(respond, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    await asyncio.to_thread(pipe.recv)
    pipe.send((first, last))
