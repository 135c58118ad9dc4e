"""The key codec keeps order and prefixes and never writes a NUL."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingot.store import keys

TEXT = st.text(alphabet="ab\x00\x01\x02\x03\U0010ffff", max_size=8)


@given(TEXT)
def test_what_was_escaped_is_read_again(key):
    escaped = keys.escape(key)
    assert keys.unescape(escaped).decode() == key
    assert b"\0" not in escaped
    assert keys.SEPARATOR not in escaped


@given(TEXT, TEXT)
def test_order_and_prefixes_are_kept(first, second):
    assert (keys.escape(first) < keys.escape(second)) == (first.encode() < second.encode())
    assert keys.escape(first + second).startswith(keys.escape(first))
    # All versions or uploads of a key sort before the next key.
    if first < second:
        assert keys.escape(first) + keys.SEPARATOR + b"\xff" < keys.escape(second)


@given(TEXT.filter(bool), TEXT)
def test_the_end_of_a_prefix_is_behind_all_it_holds(prefix, rest):
    stop = keys.behind_prefix(keys.escape(prefix))
    assert keys.escape(prefix + rest) < stop
    assert not stop.startswith(keys.escape(prefix))


def test_a_prefix_may_end_in_the_highest_byte():
    assert keys.behind_prefix(b"a\xff\xff") == b"b"


def test_garbage_is_ordered_by_time():
    early, late = keys.garbage_key(5), keys.garbage_key(10**18)
    assert early < late
    assert early < keys.garbage_due_by(6) < late
    assert keys.garbage_key(5) != early


def test_parts_are_ordered_by_number():
    numbers = [1, 2, 10, 999, 10_000]
    names = [keys.part_key("id", number) for number in numbers]
    assert names == sorted(names)
    assert all(name.startswith(keys.parts_prefix("id")) for name in names)
    assert not keys.part_key("id2", 1).startswith(keys.parts_prefix("id"))


@given(st.lists(TEXT), st.sampled_from([b"", b"\1behind"]))
def test_many_names_are_read_as_each_is(names, behind):
    catalog_keys = [keys.object_key(name) + behind for name in names]
    assert keys.names_of(catalog_keys) == names
    assert [keys.split_name(key) for key in catalog_keys] == [
        (name, behind[1:].decode()) for name in names
    ]
