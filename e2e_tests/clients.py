"""Airbyte clients of other people, each in an environment of its own beside this one.

`python -m e2e_tests.clients` sets up the environments and prints the versions.
"""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
IN_CLIENT = Path(__file__).parent / "in_client"
UV = ROOT / ".venv" / "uv" / "bin" / "uv"


@dataclass(frozen=True)
class Client:
    """A package to install by name, together with the connector.

    python: the versions of Python that it runs on.
    """

    name: str
    requirement: str
    python: str

    @property
    def bin(self) -> Path:
        """The folder with the programs of the environment, `source-tyntec-sms` among them."""
        return Path(f"{sys.prefix}-{self.name}", "bin")

    def set_up(self) -> None:
        """Install what is missing, and print the version.

        Raises:
            CalledProcessError: if uv fails, which prints the reason.
        """
        folder = self.bin.parent
        if not folder.exists():
            suits = SpecifierSet(self.python).contains(platform.python_version())
            interpreter = sys.executable if suits else self.python
            subprocess.run([UV, "venv", "--quiet", "--python", interpreter, folder], check=True)
        install = (sys.executable, "tools/set_up.py", folder, "--compile-bytecode")
        subprocess.run([*install, self.requirement, "--editable", "."], cwd=ROOT, check=True)
        [packages] = folder.glob("lib/*/site-packages")
        [found] = distributions(name=Requirement(self.requirement).name, path=[str(packages)])
        print(f"{found.name} {found.version} on {packages.parent.name}", flush=True)

    def run(
        self, program: str, *arguments: str | Path, cwd: Path, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the folder `cwd`, offline."""
        return subprocess.run(
            [self.bin / program, *arguments],
            cwd=cwd,
            env={
                # Without CI, where PyAirbyte puts the whole log into an error.
                **{name: value for name, value in os.environ.items() if name != "CI"},
                "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(IN_CLIENT),
                # PyAirbyte then contacts no registry, and sends no usage reports.
                "AIRBYTE_OFFLINE_MODE": "1",
                "DO_NOT_TRACK": "1",
                "AIRBYTE_LOGGING_ROOT": str(cwd),
                "AIRBYTE_PROJECT_DIR": str(cwd),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )


PYAIRBYTE = (
    Client("pyairbyte-0.71", "airbyte>=0.71,<1", python=">=3.10,<3.13"),
    Client("pyairbyte-1.0", "airbyte>=1.0.0rc37,<2", python=">=3.11,<3.15"),
)
AIRBYTE_SERVERLESS = Client("airbyte-serverless", "airbyte-serverless>=0.37,<1", python=">=3.10")
REGISTRY = Client("registry", "airbyte-connector-models>=0.1.12,<1", python=">=3.11,<3.13")

if __name__ == "__main__":
    for client in (*PYAIRBYTE, AIRBYTE_SERVERLESS, REGISTRY):
        client.set_up()
