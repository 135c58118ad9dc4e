"""Every catalog keeps the contract."""

from __future__ import annotations

import pytest

from ingot.store.catalog.memory import MemoryCatalog
from ingot.store.catalog.sqlite import SqliteCatalog
from ingot.testing.catalog_contract import CatalogContract


class TestSqliteCatalog(CatalogContract):
    @pytest.fixture
    def open_catalog(self, tmp_path):
        return lambda: SqliteCatalog(tmp_path / "catalog")


class TestMemoryCatalog(CatalogContract):
    DURABLE = False

    @pytest.fixture
    def open_catalog(self):
        return MemoryCatalog
