"""A PostgreSQL server for the tests that need one."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

PASSWORD = "p%w/d"  # to be quoted in a URL


def postgres_binaries() -> Path:
    """The folder with PostgreSQL's programs: of an installed server, else of the package pgserver."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if installed:
        return installed[-1].parent
    if found := shutil.which("initdb"):
        return Path(found).parent
    package = find_spec("pgserver")
    if not package or not package.origin:
        raise RuntimeError("neither a PostgreSQL server nor the package pgserver is installed")
    return Path(package.origin).parent / "pginstall" / "bin"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server on loopback, which asks for a password."""
    binaries = postgres_binaries()
    # PostgreSQL refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        if user:
            account = pwd.getpwnam(user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        password = Path(folder, "password")
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data = f"{folder}/data"
        initdb = (
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "me",
            "-A",
            "scram-sha-256",
            "--pwfile",
            password,
            "-E",
            "UTF8",
        )
        subprocess.run(initdb, user=user, cwd="/", check=True, capture_output=True)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        with subprocess.Popen(
            (binaries / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", "", "-c", "fsync=off"),
            user=user,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server:
            try:
                wait_for(port)
                yield f"postgresql://me:p%25w%2Fd@127.0.0.1:{port}/postgres"
            finally:
                server.send_signal(signal.SIGINT)  # a fast shutdown, which doesn't wait for clients


def wait_for(port: int) -> None:
    """Wait until something listens there."""
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the PostgreSQL server does not start")
