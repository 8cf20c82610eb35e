"""The examples against the sandbox, on a DuckDB file: seed, two hourly runs, view and report.

python -m examples.demo
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from sandbox import Sandbox

ROOT = Path(__file__).parent.parent
FOLDER = Path(".tmp", "example")
SETTLE_SECONDS = 30  # the second run finds messages that became final after the first
VIEW = "import duckdb; duckdb.connect('{}').execute(open('examples/sms_delivery.sql').read())"


def main() -> None:
    """Show each command and what it prints."""
    file = FOLDER / "example.duckdb"
    (ROOT / FOLDER).mkdir(parents=True, exist_ok=True)
    (ROOT / file).unlink(missing_ok=True)
    with Sandbox(messages=5000, settle_seconds=SETTLE_SECONDS) as sandbox:
        os.environ.update(TYNTEC_API_KEY=sandbox.key, TYNTEC_API_URL=sandbox.url)
        os.environ["DATABASE_URL"] = f"duckdb:///{file}"
        for command in (
            "python -m examples.seed --messages 5000",
            "python examples/hourly_statuses.py --id-column recipient",
            "python examples/hourly_statuses.py",
            "python examples/hourly_statuses.py",
            f'python -c "{VIEW.format(file)}"',
            f"python examples/delivery_report.py --output {FOLDER}",
        ):
            print(f"$ {command}", flush=True)
            arguments = [sys.executable, *shlex.split(command)[1:]]
            code = subprocess.run(arguments, cwd=ROOT, check=False).returncode
            if code != ("--id-column recipient" in command):
                sys.exit("The example failed.")


if __name__ == "__main__":
    main()
