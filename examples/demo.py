"""The examples against the sandbox, on a DuckDB file: seed, two hourly runs, and the report.

python -m examples.demo
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from integration_tests.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".tmp" / "example"
MESSAGES = 5000
SETTLE_SECONDS = 40  # longer than the first run takes, so that the second one finds messages that became final


def main() -> None:
    """Show each command and what it prints."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / "example.duckdb"
    file.unlink(missing_ok=True)
    with Sandbox(messages=MESSAGES, settle_seconds=SETTLE_SECONDS) as sandbox:
        environment = {
            "DATABASE_URL": f"duckdb:///{file.relative_to(ROOT)}",
            "TYNTEC_API_KEY": sandbox.key,
            "TYNTEC_API_URL": sandbox.url,
        }
        for command in (
            f"python -m examples.seed --messages {MESSAGES}",
            "python examples/hourly_statuses.py",
            "python examples/hourly_statuses.py",
            f"python examples/delivery_report.py --output {FOLDER.relative_to(ROOT)}",
        ):
            print(f"$ {command}", flush=True)
            arguments = [sys.executable, *shlex.split(command)[1:]]
            if subprocess.run(arguments, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode:
                sys.exit("The example failed.")


if __name__ == "__main__":
    main()
