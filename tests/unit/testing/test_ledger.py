"""The ledger accepts every honest outcome of a crash and names every broken promise."""

from __future__ import annotations

import pytest

from ingot.testing.ledger import Ledger, LedgerError, digest

OLD, NEW, TORN = digest(b"old"), digest(b"new"), digest(b"ne")


def with_old():
    ledger = Ledger()
    ledger.begin("key", OLD)
    ledger.acknowledge("key")
    return ledger


@pytest.mark.parametrize("found", [{"key": OLD}, {"key": NEW}])
def test_an_unanswered_overwrite_is_there_or_not_at_all(found):
    ledger = with_old()
    ledger.begin("key", NEW)
    ledger.reconcile(found)
    assert ledger.held("") == found


@pytest.mark.parametrize("found", [{"key": OLD}, {}])
def test_an_unanswered_deletion_is_done_or_not_at_all(found):
    ledger = with_old()
    ledger.begin("key", None)
    ledger.reconcile(found)
    assert ledger.held("") == found


@pytest.mark.parametrize(
    ("found", "verdict"),
    [({}, "lost"), ({"key": TORN}, "instead of"), ({"key": OLD, "other": NEW}, "other: .* nobody")],
)
def test_a_broken_promise_is_named(found, verdict):
    with pytest.raises(LedgerError, match=verdict):
        with_old().reconcile(found)


def test_an_unanswered_overwrite_does_not_excuse_a_torn_one():
    ledger = with_old()
    ledger.begin("key", NEW)
    with pytest.raises(LedgerError, match="instead of"):
        ledger.reconcile({"key": TORN})


def test_a_resurrected_object_is_named():
    ledger = with_old()
    ledger.begin("key", None)
    ledger.acknowledge("key")
    assert ledger.held("") == {}
    with pytest.raises(LedgerError, match="deletion was acknowledged"):
        ledger.reconcile({"key": OLD})


def test_what_was_found_must_stay():
    ledger = Ledger()
    ledger.begin("key", NEW)
    ledger.reconcile({"key": NEW})
    with pytest.raises(LedgerError, match="lost"):
        ledger.reconcile({})
