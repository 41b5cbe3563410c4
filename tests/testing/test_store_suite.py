from __future__ import annotations

from pathlib import Path

import pytest

from luodi.testing import StoreConformance


class TestSqlite(StoreConformance):
    def url(self, tmp_path: Path) -> str:
        return ""


@pytest.mark.slow
class TestPostgres(StoreConformance):
    """Every test gets a database of its own on the server, which is dropped after it."""

    @pytest.fixture(autouse=True)
    def fresh(self, postgres_url: str) -> None:
        self._url = postgres_url

    def url(self, tmp_path: Path) -> str:
        return self._url
