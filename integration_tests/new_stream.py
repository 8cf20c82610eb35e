"""Adds a fifth list stream to a copy of the checkout, in the four places that this takes, and tests the copy.

    python -m integration_tests.new_stream

It shows that everything else follows from the source: the demo, the catalogs, the lists of streams in tests.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PARTS = ("source_tyntec_sms", "unit_tests", "integration_tests", "benchmarks", "e2e_tests", "examples", "docs", ".ci")
FILES = ("main.py", "setup.py", "pyproject.toml", "metadata.yaml", "Dockerfile", "README.md", "constraints.txt",
         "icon.svg", "acceptance-test-config.yml")  # fmt: skip

STREAM = '''class Sender(ListStream):
    """The senders that the account may use: a stream that exists in this copy only."""

    primary_key = "senderId"
    endpoint = "byon/senders/v1"
    rows_field = "senders"


'''
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "title": "Sender",
    "type": ["null", "object"],
    "additionalProperties": True,
    "properties": {"senderId": {"type": ["null", "string"], "description": "Identifies the sender."}},
}
DATA = """    "sender": Listing(
        "/byon/senders/v1", "senders", lambda count: [{"senderId": str(number)} for number in range(count)], 4
    ),
"""
ROW = "| `sender` | a sender | `senderId` | `GET /byon/senders/v1` |\n"
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy", "--cache-dir", ".mypy_cache"),
    ("python", "-m", "integration_tests.demo"),
    ("python", "-m", "pytest", "-n", "auto"),
)


def insert(path: Path, before: str, text: str) -> None:
    """Put `text` before the first place in a file that reads `before`."""
    content = path.read_text()
    if before not in content:
        sys.exit(f"{path.name} has no {before!r}: adapt integration_tests/new_stream.py")
    path.write_text(content.replace(before, text + before, 1))


def add_stream(copy: Path) -> None:
    """The four places, and the row in the docs."""
    insert(copy / "source_tyntec_sms/streams.py", "class PhoneNumbers(", STREAM)
    (copy / "source_tyntec_sms/schemas/sender.json").write_text(json.dumps(SCHEMA, indent=2))
    insert(copy / "source_tyntec_sms/source.py", "PhoneRegistrations(", "Sender(*shared), ")
    insert(copy / "source_tyntec_sms/source.py", "\n\n\nclass SourceTyntecSms(", ", Sender")
    insert(copy / "integration_tests/sandbox_data.py", '    "phone_registrations": Listing(', DATA)
    insert(copy / "README.md", "| `phone_registrations` |", ROW)


def main() -> int:
    """The exit code: that of the first check that fails, else 0."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in PARTS:
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for file in FILES:
            shutil.copy(ROOT / file, copy / file)
        add_stream(copy)
        subprocess.run([BIN / "ruff", "format", "--quiet", "source_tyntec_sms"], cwd=copy, check=True)
        environment = {**os.environ, "PYTHONPATH": folder}
        for name, *arguments in CHECKS:
            print("---", name, *arguments, flush=True)
            done = subprocess.run([BIN / name, *arguments], cwd=copy, env=environment, check=False)
            if done.returncode:
                return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
