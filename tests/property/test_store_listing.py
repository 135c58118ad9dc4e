"""Listings agree with a naive model, whatever the keys, prefix, delimiter and page size."""

from __future__ import annotations

import asyncio
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.store import listing
from ingot.testing.stores import memory_store, put_bytes

# Few characters, so that prefixes and delimiters meet; among them those that are escaped.
TEXT = st.text(alphabet="ab/\x00\x01\x02\x03ä\U0010ffff", max_size=6)
KEYS = st.sets(TEXT.filter(bool), max_size=25)


def expected_entries(names, prefix, delimiter, after):
    entries = []
    for name in sorted(names, key=str.encode):
        if not name.startswith(prefix):
            continue
        at = name.find(delimiter, len(prefix)) if delimiter else -1
        entry = name if at < 0 else name[: at + len(delimiter)]
        is_prefix = at >= 0
        if entry.encode() > after.encode() and (entry, is_prefix) not in entries:
            entries.append((entry, is_prefix))
    return entries


def page_entries(page):
    entries = [(item.key, False) for item in page.objects]
    entries += [(prefix, True) for prefix in page.prefixes]
    return sorted(entries, key=lambda entry: (entry[0].encode(), entry[1]))


async def new_store(names):
    store = memory_store()
    await store.buckets.create("bucket")
    for name in names:
        await put_bytes(store, "bucket", name, b"")
    return store


@settings(max_examples=300, deadline=None)
@given(
    names=KEYS,
    prefix=TEXT,
    delimiter=st.sampled_from(["", "/", "a", "ab", "ä", "\x01", "//"]),
    limit=st.integers(min_value=1, max_value=7),
    first=st.sampled_from([1, 2, 64]),
)
def test_pages_put_together_are_the_whole_listing(names, prefix, delimiter, limit, first):
    async def test():
        store = await new_store(names)
        entries = []
        after, truncated = "", True
        while truncated:
            page = store.objects.list(
                "bucket", prefix=prefix, delimiter=delimiter, after=after, limit=limit
            )
            entries += page_entries(page)
            assert len(page.objects) + len(page.prefixes) <= limit
            after, truncated = page.next_after, page.truncated
            assert not truncated or len(page.objects) + len(page.prefixes) == limit
        store.close()
        assert entries == expected_entries(names, prefix, delimiter, "")

    # With few rows at first a walk comes to skim however small the bucket is.
    with patch.object(listing, "_ROWS_FIRST", first), patch.object(listing, "_SKIMMED_MAX", 3):
        asyncio.run(test())


@settings(max_examples=300, deadline=None)
@given(
    names=KEYS,
    prefix=TEXT,
    delimiter=st.sampled_from(["", "/", "a", "ab", "ä"]),
    after=TEXT,
)
def test_a_listing_begins_behind_any_marker(names, prefix, delimiter, after):
    async def test():
        store = await new_store(names)
        page = store.objects.list("bucket", prefix=prefix, delimiter=delimiter, after=after)
        store.close()
        assert page_entries(page) == expected_entries(names, prefix, delimiter, after)
        assert not page.truncated

    asyncio.run(test())
