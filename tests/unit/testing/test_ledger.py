"""The ledger accepts every honest outcome of a crash and names every broken promise."""

from __future__ import annotations

import pytest

from ingot.testing.ledger import MARKER, NULL, Ledger, LedgerError, Version, digest

OLD, NEW, TORN = (Version(digest(content)) for content in (b"old", b"new", b"ne"))


def known(version, name=NULL):
    return version._replace(id=name)


def with_old(**options):
    ledger = Ledger(**options)
    ledger.begin("key", (OLD,), "put")
    ledger.acknowledge("key", "one" if options.get("versioned") else None)
    return ledger


@pytest.mark.parametrize("found", [OLD, NEW])
def test_an_unanswered_overwrite_is_there_or_not_at_all(found):
    ledger = with_old()
    ledger.begin("key", (NEW,), "overwrite")
    ledger.reconcile({"key": (known(found),)})
    assert ledger.stack("key") == (known(found),)
    assert ledger.fates == {("overwrite", "done" if found == NEW else "not done"): 1}


@pytest.mark.parametrize("found", [{"key": (known(OLD),)}, {}])
def test_an_unanswered_deletion_is_done_or_not_at_all(found):
    ledger = with_old()
    ledger.begin("key", (), "delete")
    ledger.reconcile(found)
    assert ledger.stack("key") == found.get("key", ())


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ({}, "lost"),
        ({"key": (known(TORN),)}, "instead of"),
        ({"key": (known(OLD)._replace(tags="a=b"),)}, "instead of"),
        ({"key": (known(OLD)._replace(held=True),)}, "instead of"),
        ({"key": (known(OLD),), "other": (known(NEW),)}, "other: .* nobody"),
        ({"key": (known(OLD), known(OLD))}, "instead of"),
    ],
)
def test_a_broken_promise_is_named(found, verdict):
    with pytest.raises(LedgerError, match=verdict):
        with_old().reconcile(found)


def test_an_unanswered_overwrite_does_not_excuse_a_torn_one():
    ledger = with_old()
    ledger.begin("key", (NEW,), "overwrite")
    with pytest.raises(LedgerError, match="instead of"):
        ledger.reconcile({"key": (known(TORN),)})


def test_a_resurrected_object_is_named():
    ledger = with_old()
    ledger.begin("key", (), "delete")
    ledger.acknowledge("key")
    assert ledger.stack("key") == ()
    with pytest.raises(LedgerError, match="deletion was acknowledged"):
        ledger.reconcile({"key": (known(OLD),)})


def test_what_was_found_must_stay():
    ledger = Ledger()
    ledger.begin("key", (NEW,), "put")
    ledger.reconcile({"key": (known(NEW),)})
    with pytest.raises(LedgerError, match="lost"):
        ledger.reconcile({})


def test_versions_are_compared_in_order_and_by_their_ids():
    ledger = with_old(versioned=True)
    ledger.begin("key", (NEW, known(OLD, "one")), "overwrite")
    ledger.acknowledge("key", "two")
    ledger.begin("key", (Version(MARKER), *ledger.stack("key")), "delete")
    ledger.acknowledge("key")
    kept = (known(NEW, "two"), known(OLD, "one"))
    for wrong in (kept, (known(NEW, "two"), Version(MARKER, "x")), kept[:1], kept[::-1]):
        with pytest.raises(LedgerError):
            ledger.reconcile({"key": wrong})
    ledger.reconcile({"key": (Version(MARKER, "three"), *kept)})
    assert ledger.stack("key")[0] == Version(MARKER, "three")
    with pytest.raises(LedgerError):
        ledger.reconcile({"key": (Version(MARKER, "four"), *kept)})


def test_a_lifecycle_rule_may_take_what_is_its_own_and_nothing_else():
    ledger = with_old(lapsing=("ke",))
    ledger.reconcile({})
    assert ledger.lapsed == 1
    with pytest.raises(LedgerError, match="lost"):
        with_old(lapsing=("other",)).reconcile({})


def test_a_lifecycle_rule_puts_a_marker_on_versions_and_takes_none():
    ledger = with_old(lapsing=("ke",), versioned=True)
    ledger.reconcile({"key": (Version(MARKER, "two"), known(OLD, "one"))})
    with pytest.raises(LedgerError):
        ledger.reconcile({"key": (Version(MARKER, "two"),)})
