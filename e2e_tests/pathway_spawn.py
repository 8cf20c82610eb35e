"""Pathway reads the statuses in two processes; `make pathway` runs this module.

Pathway takes 1.3 GB, and installs the connector by its name. A constraint makes pip take this
checkout, because the package on PyPI is the earlier connector, which sends SMS.
"""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from e2e_tests.clients import IN_CLIENT, ROOT, UV, Client
from sandbox import Sandbox
from sandbox.data import status

PATHWAY = Client("pathway", "pathway[airbyte]>=0.33,<1", python=">=3.10,<3.14")


@pytest.mark.timeout(900)
def test_two_processes_read_each_status_once(tmp_path: Path) -> None:
    PATHWAY.set_up()
    subprocess.run([UV, "build", "--quiet", "--wheel", "--out-dir", tmp_path, ROOT], check=True)
    [wheel] = tmp_path.glob("*.whl")
    constraint = tmp_path / "constraint.txt"
    constraint.write_text(f"airbyte-source-tyntec-sms @ {wheel.as_uri()}\n")
    connection, file = tmp_path / "tyntec.yaml", tmp_path / "rows.jsonl"
    ids = [f"id-{number}" for number in range(5000)]
    config = {
        "api_key": "sandbox-key",
        "message_request_id": ids[0],
        "additional_message_request_ids": ids[1:],
    }
    source = {"docker_image": "airbyte/source-tyntec-sms:1.0.0", "config": config}
    connection.write_text(yaml.safe_dump({"source": source}))

    with Sandbox(statuses={each: status(each) for each in ids}) as sandbox:
        process = PATHWAY.run(
            *("pathway", "spawn", "--processes", "2", PATHWAY.bin / "python"),
            *(IN_CLIENT / "read_with_pathway.py", connection, file),
            cwd=tmp_path,
            PIP_CONSTRAINT=str(constraint),
            PYTHONPATH="",  # pip needs the network
            TYNTEC_API_URL=sandbox.url,
        )

    assert process.returncode == 0, process.stderr
    rows = [json.loads(json.loads(line)["data"]) for line in file.read_text().splitlines()]
    assert sorted(row["requestId"] for row in rows) == sorted(ids)
    assert len(sandbox.received) == len(ids)
