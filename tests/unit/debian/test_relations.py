"""Dependency fields as Debian Policy 7.1 writes them."""

import pytest

from ingot.debian.relations import Relation, RelationError, parse_relations


def test_groups_alternatives_bounds_and_qualifiers() -> None:
    field = "libc6 (>= 2.34), debconf (>= 0.5) | debconf-2.0, python3:any, a [amd64] <!nocheck>,"
    assert parse_relations(field) == [
        (Relation("libc6", ">=", "2.34"),),
        (Relation("debconf", ">=", "0.5"), Relation("debconf-2.0")),
        (Relation("python3"),),
        (Relation("a"),),
    ]


def test_old_operators_mean_the_inclusive_ones() -> None:
    assert parse_relations("a (< 1), b (> 2)") == [
        (Relation("a", "<=", "1"),),
        (Relation("b", ">=", "2"),),
    ]


@pytest.mark.parametrize("field", ["a b", "a (1)", "a (>= )", "(>= 1)", "a | "])
def test_malformed_fields_are_refused(field: str) -> None:
    with pytest.raises(RelationError):
        parse_relations(field)
