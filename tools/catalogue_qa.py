"""Runs the checks of Airbyte's catalogue on a copy, laid out as in Airbyte's repository.

    make qa

Prints one line per check. "layout" stands for a check that fails because of the layout of this
project; CONTRIBUTING.md lists them. The exit code is 1 if another check fails.

`make submission` runs the checks on build/airbyte, where each of them must pass.
"""

import contextlib
import io
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

os.environ["DO_NOT_TRACK"] = "1"  # read when the package is imported

from airbyte_ops_mcp.connector_ops.utils import Connector
from airbyte_ops_mcp.connector_qa import checks
from airbyte_ops_mcp.connector_qa.checks import metadata

ROOT = Path(__file__).parent.parent
NAME = "source-tyntec-sms"
# Airbyte runs the checks of published versions and images, which need the network.
CHECKS = [check for check in checks.ENABLED_CHECKS if check not in checks.VERSION_CHECKS]
metadata.ValidatorOptions = partial(metadata.ValidatorOptions, disable_dockerhub_checks=True)


class CertifiedConnector(Connector):  # type: ignore[misc]
    """The connector as a certified and unpublished one, so that no check is skipped."""

    is_released = False
    ab_internal_sl = 300
    support_level = "certified"


def lay_out(folder: Path) -> None:
    """Copy all files that git does not ignore to their places in Airbyte's repository."""
    connector = folder / "airbyte-integrations/connectors" / NAME
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in listed.rstrip("\0").split("\0"):
        if (ROOT / name).exists():  # not just removed
            (connector / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, connector / name)
    shutil.copytree(connector / "docs", folder / "docs")


def main() -> int:
    """Run the checks.

    Returns:
        The exit code, 1 if a check fails that the layout does not rule out.
    """
    logging.disable()
    submission = sys.argv[1] if sys.argv[1:] else None
    ruled_out = "" if submission else (ROOT / "CONTRIBUTING.md").read_text()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        if not submission:
            lay_out(Path(folder))
        os.chdir(submission or folder)
        for check in CHECKS:
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    result = check.run(CertifiedConnector(NAME))
                outcome, message = result.status.name.lower(), result.message
            except Exception as error:
                outcome, message = "failed", f"{type(error).__name__}: {error}"
            if outcome == "failed" and check.name in ruled_out:
                outcome = "layout"
            failed += outcome == "failed"
            print(f"{outcome:8}{check.name}{f': {message}' if outcome == 'failed' else ''}")
        os.chdir(ROOT)
    print(f"{failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
