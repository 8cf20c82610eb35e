"""Ends a process that looks up another host. Python imports this module at its start."""

import os
import sys
from typing import Any


def allow_this_machine(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook. It exits, because the process could catch an exception."""
    if event == "socket.getaddrinfo" and arguments[0] not in {"127.0.0.1", "localhost"}:
        os.write(2, f"LOOKED UP {arguments[0]}\n".encode())
        os._exit(99)


sys.addaudithook(allow_this_machine)
