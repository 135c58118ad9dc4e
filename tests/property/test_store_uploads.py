"""Listings of uploads agree with a naive model, whatever the keys, markers and page size."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.testing.stores import memory_store

TEXT = st.text(alphabet="ab/\x01\x02\u00e4", max_size=4)
KEYS = st.lists(TEXT.filter(bool), max_size=15)


def shown(uploads, prefix, delimiter):
    """Return the entries of a listing: (key, upload id), and common prefixes as plain strings."""
    entries = []
    for key, upload_id in sorted(uploads, key=lambda item: (item[0].encode(), item[1])):
        if not key.startswith(prefix):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = (key, upload_id) if at < 0 else key[: at + len(delimiter)]
        if entry not in entries:
            entries.append(entry)
    return entries


def of_page(page):
    entries = [(item.key.encode(), item.record.upload_id, item.key) for item in page.uploads]
    entries += [(prefix.encode(), "", prefix) for prefix in page.prefixes]
    return [(key, upload_id) if upload_id else key for _, upload_id, key in sorted(entries)]


@settings(max_examples=200, deadline=None)
@given(
    names=KEYS,
    prefix=TEXT,
    delimiter=st.sampled_from(["", "/", "a", "\x01"]),
    limit=st.integers(min_value=1, max_value=5),
)
def test_pages_put_together_are_the_whole_listing(names, prefix, delimiter, limit):
    async def test():
        store = memory_store()
        await store.buckets.create("bucket")
        uploads = [(name, (await store.uploads.create("bucket", name)).upload_id) for name in names]
        found, after, truncated = [], ("", ""), True
        while truncated:
            page = store.uploads.list(
                "bucket",
                prefix=prefix,
                delimiter=delimiter,
                after_key=after[0],
                after_upload_id=after[1],
                limit=limit,
            )
            entries = of_page(page)
            assert len(entries) <= limit
            found += entries
            after, truncated = (page.next_key, page.next_upload_id), page.truncated
        store.close()
        assert found == shown(uploads, prefix, delimiter)

    asyncio.run(test())


@settings(max_examples=200, deadline=None)
@given(names=KEYS, after=TEXT.filter(bool))
def test_a_key_alone_as_the_marker_leaves_out_its_uploads(names, after):
    async def test():
        store = memory_store()
        await store.buckets.create("bucket")
        uploads = [(name, (await store.uploads.create("bucket", name)).upload_id) for name in names]
        page = store.uploads.list("bucket", after_key=after)
        store.close()
        behind = [item for item in uploads if item[0].encode() > after.encode()]
        assert of_page(page) == shown(behind, "", "")

    asyncio.run(test())


@settings(max_examples=200, deadline=None)
@given(names=KEYS, prefix=TEXT, delimiter=st.sampled_from(["", "/", "a", "\x01"]))
def test_any_upload_may_be_the_marker(names, prefix, delimiter):
    async def test():
        store = memory_store()
        await store.buckets.create("bucket")
        uploads = [(name, (await store.uploads.create("bucket", name)).upload_id) for name in names]
        for key, upload_id in uploads:
            page = store.uploads.list(
                "bucket",
                prefix=prefix,
                delimiter=delimiter,
                after_key=key,
                after_upload_id=upload_id,
            )
            behind = [
                entry
                for entry in shown(uploads, prefix, delimiter)
                if (
                    entry.encode() > key.encode()
                    if isinstance(entry, str)
                    else (entry[0].encode(), entry[1]) > (key.encode(), upload_id)
                )
            ]
            assert of_page(page) == behind
        store.close()

    asyncio.run(test())
