"""Installs packages with uv, for the Makefile: set_up.py FOLDER ARGUMENTS.

The folder becomes a virtual environment of this Python, unless it is one already. ARGUMENTS are
those of `uv pip install`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

UV = Path(".venv/uv/bin/uv")
# uv does not read the configuration of pip.
UV_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "HTTPS_PROXY",
}


def run(*command: str | Path) -> None:
    """Run a command, and exit with its exit code if it fails."""
    if code := subprocess.run(command, check=False).returncode:
        sys.exit(code)


def pip_settings() -> dict[str, str]:
    """The settings of pip, as environment variables of uv."""
    command = [str(UV.with_name("python")), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.findall(r"^[^.]+\.([a-z-]+)='(.*)'$", listed, re.MULTILINE)
    return {UV_VARIABLES[name]: value for name, value in reversed(found) if name in UV_VARIABLES}


def main() -> None:
    """Set up the environment."""
    folder, *arguments = sys.argv[1:]
    python = Path(folder, "bin", "python")
    if not python.exists():
        if not UV.exists():
            print("Installing uv", flush=True)
            run(sys.executable, "-m", "venv", UV.parent.parent)
            pip = (UV.with_name("python"), "-m", "pip", "--disable-pip-version-check")
            run(*pip, "install", "--quiet", "uv")
        print(f"Creating {folder}", flush=True)
        run(UV, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
    print("Installing", *arguments, flush=True)
    os.environ.update({"UV_SYSTEM_CERTS": "1", **pip_settings(), **os.environ})
    run(UV, "pip", "install", "--quiet", "--python", python, *arguments)


if __name__ == "__main__":
    main()
