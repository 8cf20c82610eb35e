"""What every integration test keeps an eye on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from integration_tests.sandbox import Sandbox
from integration_tests.sandbox_data import PATHS

StartSandbox = Callable[..., Sandbox]


@pytest.fixture
def start_sandbox() -> Iterator[StartSandbox]:
    """Starts sandboxes. At the end, only the documented paths may have been asked for, and properly."""
    sandboxes: list[Sandbox] = []
    with ExitStack() as stack:

        def start(**options: Any) -> Sandbox:
            sandbox = stack.enter_context(Sandbox(**options))
            sandboxes.append(sandbox)
            return sandbox

        yield start
        for asked in (asked for sandbox in sandboxes for asked in sandbox.asked):
            assert asked.method == "GET"
            assert PATHS.fullmatch(asked.path), asked.path
            assert asked.headers["Accept"] == "application/json"
            assert not {"Authorization", "Cookie"} & asked.headers.keys()


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> Sandbox:
    """A sandbox with an account like any other."""
    return start_sandbox()
