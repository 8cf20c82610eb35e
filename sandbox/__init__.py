"""A stand-in for tyntec's API, with its errors, rate limits, outages and faults.

    with Sandbox(faults={"contacts": "503:2"}) as sandbox:
        requests.get(f"{sandbox.url}/byon/contacts/v1", headers={"apikey": sandbox.key})

It follows tyntec's public documentation and has never been compared with the live API.
"""

from sandbox.faults import Outage
from sandbox.limits import Limit
from sandbox.server import Received, Sandbox

__all__ = ["Limit", "Outage", "Received", "Sandbox"]
