from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from luodi.store import Store


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store on either database."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    store = Store(tmp_path / "store", url)
    yield store
    store.database.close()
