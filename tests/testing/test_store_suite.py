from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from luodi.testing import StoreConformance


class TestSqlite(StoreConformance):
    def url(self, tmp_path: Path) -> str:
        return ""


@pytest.mark.skipif("LUODI_TEST_POSTGRES" not in os.environ, reason="LUODI_TEST_POSTGRES holds no URL")
class TestPostgres(StoreConformance):
    """Every test gets a database of its own on the server, which is dropped after it."""

    @pytest.fixture(autouse=True)
    def fresh(self) -> Iterator[None]:
        server = make_url(os.environ["LUODI_TEST_POSTGRES"]).set(drivername="postgresql+psycopg")
        name = f"luodi_test_{uuid.uuid4().hex[:12]}"
        admin = create_engine(server, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        self._url = server.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
        yield
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()

    def url(self, tmp_path: Path) -> str:
        return self._url
