"""sql: queries on objects of a service that answers them, and of one that does not."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

PEOPLE = b"name,age\nann,30\nbob,40\ncid,50\n"


class TestSql:
    def test_csv_is_queried(self, cli: Any, elsewhere: Any) -> None:
        elsewhere.put("people.csv", PEOPLE)
        address = f"{elsewhere.address}/people.csv"
        done = cli("sql", "-e", "select * from S3Object", address)
        assert (done.code, done.out.split()) == (0, ["ann,30", "bob,40", "cid,50"])
        done = cli("sql", "-e", "select * from S3Object", "--json", address)
        assert json.loads(done.out.splitlines()[1])["name"] == "bob"

    def test_json_lines_compressed(self, cli: Any, elsewhere: Any) -> None:
        lines = b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n'
        elsewhere.put("rows.jsonl.gz", gzip.compress(lines))
        done = cli("sql", "-e", "select * from S3Object", f"{elsewhere.address}/rows.jsonl.gz")
        assert done.code == 0
        assert [json.loads(row) for row in done.out.splitlines()] == [
            {"a": 1, "b": "x"},
            {"a": 2, "b": "y"},
        ]

    def test_all_objects_below_a_folder(self, cli: Any, elsewhere: Any) -> None:
        elsewhere.put_all({"t/1.csv": b"a\n1\n", "t/2.csv": b"a\n2\n", "u.csv": b"a\n3\n"})
        done = cli("sql", "-r", "-e", "select * from S3Object", f"{elsewhere.address}/t/")
        assert done.out.split() == ["1", "2"]
        assert cli("sql", "-r", "-e", "select 1", f"{elsewhere.address}/v/").code == 5

    def test_a_service_that_cannot(self, cli: Any, remote: Any) -> None:
        remote.put("people.csv", PEOPLE)
        done = cli("--json", "sql", "-e", "select 1", f"{remote.address}/people.csv")
        assert (done.code, done.error()["slug"]) == (1, "unsupported")

    @pytest.mark.parametrize(
        "options",
        [
            ("--csv-input", "fh=MAYBE"),
            ("--csv-input", "x=1"),
            ("--csv-input", "fd"),
            ("--json-input", "type=tree"),
            ("--csv-input", "", "--json-input", ""),
            ("--csv-output", "", "--json-output", ""),
            ("--csv-output", "qf=NEVER"),
            ("--compression", "ZIP"),
        ],
    )
    def test_what_is_not_understood(
        self, cli: Any, elsewhere: Any, options: tuple[str, ...]
    ) -> None:
        assert cli("sql", "-e", "select 1", *options, f"{elsewhere.address}/k").code == 2
