"""Sandboxes, and what holds for every request that they receive."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.data import PATHS

StartSandbox = Callable[..., Sandbox]


@pytest.fixture
def start_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartSandbox]:
    """Starts sandboxes, the last of which is the API. Checks all requests at the end."""
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
