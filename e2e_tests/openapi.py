"""The connector reads a mock server of tyntec's own OpenAPI file; `make mock` runs this module.

tyntec publishes the file in its repository `tyntec/api-collection`, as `sms/v1/openapi.yaml`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e_tests.clients import ROOT
from sandbox.data import STREAMS


@pytest.fixture
def url() -> Iterator[str]:
    """The address of a mock server that responds with the examples of the file OPENAPI."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    prism = (
        "npx",
        "--yes",
        "@stoplight/prism-cli@5",
        "mock",
        os.environ["OPENAPI"],
        "--port",
        port,
    )
    with subprocess.Popen(
        prism, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        assert server.stdout
        assert any("is listening" in line for line in server.stdout)
        yield f"http://localhost:{port}"
        os.killpg(server.pid, signal.SIGTERM)


def test_check_and_read_the_examples_of_the_file(url: str) -> None:
    config = ROOT / "examples" / "config.json"
    catalog = ROOT / "examples" / "configured_catalog.json"
    messages = []
    for command in (("check",), ("read", "--catalog", catalog)):
        output = subprocess.check_output(
            [Path(sys.executable).with_name("source-tyntec-sms"), *command, "--config", config],
            env={**os.environ, "TYNTEC_API_URL": url},
        )
        messages += [json.loads(line) for line in output.splitlines()]

    [status] = [each["connectionStatus"] for each in messages if "connectionStatus" in each]
    assert status == {"status": "SUCCEEDED"}
    assert Counter(each["record"]["stream"] for each in messages if "record" in each) == (
        dict.fromkeys(STREAMS, 1)
    )
