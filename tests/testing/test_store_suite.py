from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from luodi.testing import StoreConformance


class TestSqlite(StoreConformance):
    def url(self, tmp_path: Path) -> str:
        return ""


def _binaries() -> Path | None:
    """Where the distribution keeps PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of a PostgreSQL server: the one that LUODI_TEST_POSTGRES names, or one started here on loopback."""
    if "LUODI_TEST_POSTGRES" in os.environ:
        yield os.environ["LUODI_TEST_POSTGRES"]
        return
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # PostgreSQL refuses to run as root, and its user can't look into a folder of root's.
    folder = Path(tempfile.mkdtemp(prefix="luodi-pg-"))
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    data = str(folder / "data")
    try:
        subprocess.run(
            [*as_user, str(binaries / "initdb"), "-D", data, "-A", "trust", "-U", "luodi"],
            check=True,
            capture_output=True,
        )
        start = [
            *as_user,
            str(binaries / "pg_ctl"),
            "-D",
            data,
            "-o",
            options,
            "-l",
            str(folder / "log"),
            "-w",
            "start",
        ]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL)
        yield f"postgresql://luodi@127.0.0.1:{port}/postgres"
        subprocess.run(
            [*as_user, str(binaries / "pg_ctl"), "-D", data, "-m", "fast", "stop"], check=True, capture_output=True
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
class TestPostgres(StoreConformance):
    """Every test gets a database of its own on the server, which is dropped after it."""

    @pytest.fixture(autouse=True)
    def fresh(self, server: str) -> Iterator[None]:
        at = make_url(server).set(drivername="postgresql+psycopg")
        name = f"luodi_test_{uuid.uuid4().hex[:12]}"
        admin = create_engine(at, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        self._url = at.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
        yield
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()

    def url(self, tmp_path: Path) -> str:
        return self._url
