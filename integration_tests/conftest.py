"""Sandboxes, and what holds for every request that they receive."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.data import PATHS

StartSandbox = Callable[..., Sandbox]


@pytest.fixture
def start_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StartSandbox]:
    """Starts sandboxes, the last of which is the API. Checks all requests at the end."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password from-netrc")
    monkeypatch.setenv("NETRC", str(netrc))
    sandboxes: list[Sandbox] = []
    with ExitStack() as stack:

        def start(**options: Any) -> Sandbox:
            sandboxes.append(stack.enter_context(Sandbox(**options)))
            monkeypatch.setenv("TYNTEC_API_URL", sandboxes[-1].url)
            return sandboxes[-1]

        yield start
        for request in (request for sandbox in sandboxes for request in sandbox.received):
            assert request.method == "GET"
            assert PATHS.fullmatch(request.path), request.path
            assert request.headers["Accept"] == "application/json"
            assert not {"Authorization", "Cookie"} & request.headers.keys()


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> Sandbox:
    """A sandbox with the data of every documented shape."""
    return start_sandbox()
