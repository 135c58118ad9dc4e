"""Versions agree with a naive model, whatever is done to them and however they are listed."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.store.errors import DeleteMarkerError, NoSuchKeyError, NoSuchVersionError
from ingot.store.fences import Versioning
from ingot.testing.stores import memory_store, put_bytes

KEYS = st.sampled_from(["a", "a/", "a/b", "a/b\x01", "ab", "b/\x02/", "ä"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("remove"), st.integers(min_value=0, max_value=20)),
        st.tuples(st.just("remove two"), st.integers(min_value=0, max_value=20)),
        st.tuples(st.just("set"), st.sampled_from([Versioning.ENABLED, Versioning.SUSPENDED])),
    ),
    max_size=25,
)


class Model:
    """Each key's versions, the newest first: (version id, content or None for a marker)."""

    def __init__(self):
        self.state = Versioning.OFF
        self.keys = {}

    def write(self, key, version_id, content):
        versions = self.keys.setdefault(key, [])
        if self.state is not Versioning.ENABLED:
            versions[:] = [item for item in versions if item[0] != "null"]
        if content is not None or self.state is not Versioning.OFF:
            versions.insert(0, (version_id, content))

    def remove(self, key, version_ids):
        self.keys[key] = [item for item in self.keys[key] if item[0] not in version_ids]

    def entries(self):
        """All versions in the order of a listing: key, id, whether a marker, whether latest."""
        return [
            (key, version_id, content is None, index == 0)
            for key in sorted(self.keys, key=str.encode)
            for index, (version_id, content) in enumerate(self.keys[key])
        ]


async def play(store, model, steps):
    for number, (what, which) in enumerate(steps):
        if what == "set":
            await store.buckets.set_versioning("bucket", which)
            model.state = which
        elif what == "put":
            record = await put_bytes(store, "bucket", which, b"%d" % number)
            model.write(which, record.version_id, b"%d" % number)
        elif what == "delete":
            removed = await store.objects.delete("bucket", which)
            model.write(which, removed.version_id, None)
        elif entries := model.entries():
            first = which % len(entries)
            chosen = entries[first : first + (2 if what == "remove two" else 1)]
            wanted = {}
            for key, version_id, _, _ in chosen:
                wanted.setdefault(key, []).append(version_id)
            await store.objects.delete_versions("bucket", wanted)
            for key, version_ids in wanted.items():
                model.remove(key, version_ids)


def rolled_up(entries, prefix, delimiter):
    """Return the entries of a listing: versions, and common prefixes as plain strings."""
    shown = []
    for entry in entries:
        key = entry[0]
        if not key.startswith(prefix):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        item = entry if at < 0 else key[: at + len(delimiter)]
        if item not in shown:
            shown.append(item)
    return shown


def check_contents(store, model):
    for key, versions in model.keys.items():
        for version_id, content in versions:
            try:
                found = store.objects.get("bucket", key, version_id=version_id).body
            except DeleteMarkerError:
                found = None
            assert found == content
        try:
            current = store.objects.get("bucket", key).body
        except NoSuchKeyError:
            current = None
        assert current == (versions[0][1] if versions else None)
        try:
            found = store.objects.get("bucket", key, version_id="null")
        except (NoSuchVersionError, DeleteMarkerError):
            found = None
        assert (found is not None) == any(v == "null" and c is not None for v, c in versions)
    objects = [item.key for item in store.objects.list("bucket").objects]
    assert objects == sorted(
        (key for key, versions in model.keys.items() if versions and versions[0][1] is not None),
        key=str.encode,
    )


def page_items(page):
    """Return a page's entries in order."""
    items = [
        (v.key, v.record.version_id, v.record.delete_marker, v.is_latest) for v in page.versions
    ]
    order = [(item[0].encode(), index, item) for index, item in enumerate(items)]
    order += [(prefix.encode(), 0, prefix) for prefix in page.prefixes]
    return [item for _, _, item in sorted(order, key=lambda entry: entry[:2])]


@settings(max_examples=300, deadline=None)
@given(
    steps=STEPS,
    prefix=st.sampled_from(["", "a", "a/", "b"]),
    delimiter=st.sampled_from(["", "/", "b", "\x02"]),
    limit=st.integers(min_value=1, max_value=5),
)
def test_versions_are_as_the_model_says(steps, prefix, delimiter, limit):
    async def test():
        store, model = memory_store(), Model()
        await store.buckets.create("bucket")
        await play(store, model, steps)
        check_contents(store, model)
        shown, after, truncated = [], ("", ""), True
        while truncated:
            page = store.objects.list_versions(
                "bucket",
                prefix=prefix,
                delimiter=delimiter,
                after_key=after[0],
                after_version_id=after[1],
                limit=limit,
            )
            items = page_items(page)
            assert len(items) <= limit
            shown += items
            after, truncated = (page.next_key, page.next_version_id), page.truncated
        assert shown == rolled_up(model.entries(), prefix, delimiter)
        # Any version may be a marker, by its own id too.
        for index, entry in enumerate(model.entries()):
            page = store.objects.list_versions(
                "bucket", after_key=entry[0], after_version_id=entry[1]
            )
            assert page_items(page) == model.entries()[index + 1 :]
            page = store.objects.list_versions(
                "bucket",
                prefix=prefix,
                delimiter=delimiter,
                after_key=entry[0],
                after_version_id=entry[1],
            )
            # A common prefix that the marker is in is behind, with all that it rolls up.
            behind = rolled_up(model.entries()[index + 1 :], prefix, delimiter)
            assert page_items(page) == [
                item
                for item in behind
                if not isinstance(item, str) or item.encode() > entry[0].encode()
            ]
        store.close()

    asyncio.run(test())
