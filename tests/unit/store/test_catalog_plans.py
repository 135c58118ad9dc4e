"""No statement of the catalog reads more rows than it needs: each one searches an index."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ingot.store.catalog import sqlite, statements, transaction

STATEMENTS = {
    "get": statements.GET,
    "get with attachment": statements.GET_WITH_ATTACHMENT,
    "get beside": statements.GET_BESIDE,
    "next partition": statements.NEXT_PARTITION,
    "any": transaction._ANY,
    **{f"scan {kind}": text for kind, text in statements.SCANS.items()},
    **{f"delete {rows}": text for rows, text in transaction._DELETES.items()},
}


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    catalog = sqlite.SqliteCatalog(tmp_path)
    catalog.close()
    return sqlite3.connect(tmp_path / sqlite.CATALOG_FILE)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_searches(connection: sqlite3.Connection, name: str) -> None:
    text = STATEMENTS[name]
    steps = connection.execute(f"EXPLAIN QUERY PLAN {text}", [b"x"] * text.count("?")).fetchall()
    connection.close()
    plan = [detail for *_, detail in steps]
    assert any(detail.startswith("SEARCH") for detail in plan), plan
    assert not any(detail.startswith("SCAN") for detail in plan), plan


@pytest.mark.parametrize("rows", transaction._DELETES)
def test_a_delete_searches_for_its_keys(connection: sqlite3.Connection, rows: int) -> None:
    text = transaction._DELETES[rows]
    steps = connection.execute(f"EXPLAIN QUERY PLAN {text}", [b"x"] * (rows + 1)).fetchall()
    connection.close()
    assert "SEARCH record USING PRIMARY KEY (partition=? AND key=?)" in {step[3] for step in steps}


@pytest.mark.parametrize("rows", transaction._DIFFERENCES)
def test_looking_ahead_searches_for_its_keys(connection: sqlite3.Connection, rows: int) -> None:
    text = transaction._DIFFERENCES[rows]
    parameters = [b"x"] * text.count("?")
    steps = connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters).fetchall()
    connection.close()
    details = {step[3] for step in steps}
    search = "SEARCH record USING PRIMARY KEY (partition=? AND key=?)"
    assert any(detail.startswith(search) for detail in details)
    assert not any("SCAN record" in detail for detail in details)


def test_skimming_searches_for_every_key(connection: sqlite3.Connection) -> None:
    names = ("partition", "start", "stop", "skip", "delimiter", "behind", "limit")
    text = f"EXPLAIN QUERY PLAN {statements.SKIM}"
    steps = connection.execute(text, dict.fromkeys(names, b"x")).fetchall()
    connection.close()
    details = [step[3] for step in steps]
    # The first key, the next one, and the value of a key that stands for itself.
    assert sum("SEARCH record USING PRIMARY KEY" in detail for detail in details) == 3
    assert not any("SCAN record" in detail for detail in details)
