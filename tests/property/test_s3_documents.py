"""Whatever a document says, the other side reads; names survive when they travel encoded."""

from __future__ import annotations

import contextlib
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from ingot.s3 import xml
from ingot.s3.checksums import ChecksumValue
from ingot.s3.documents import (
    attributes,
    buckets,
    copy,
    delete,
    error,
    listing,
    multipart,
    tagging,
)
from ingot.s3.documents.common import Owner, encode_name, encode_names
from ingot.s3.errors import S3Error

# What XML 1.0 can carry as it is.
text = st.text(st.characters(exclude_categories=["Cs"])).filter(xml.expressible)
# Keys may be anything that is UTF-8; they come through percent-encoded.
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
tokens = st.from_regex(r"\A[A-Za-z0-9+/=_-]{1,40}\Z")
etags = st.from_regex(r"\A[0-9a-f]{32}(-[1-9][0-9]{0,3})?\Z")
# Documents carry milliseconds.
instants = st.integers(0, 4_000_000_000_000).map(lambda ms: ms * 1_000_000)
sizes = st.integers(0, 5 << 40)
owners = st.none() | st.builds(Owner, text, text)
types = st.sampled_from([None, "COMPOSITE", "FULL_OBJECT"])
checksums = st.none() | st.builds(
    ChecksumValue,
    st.sampled_from(["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]),
    tokens,
    types,
)
optional_names = st.none() | names
encoding = st.just("url")

entries = st.lists(
    st.builds(
        listing.Entry,
        names,
        instants,
        etags,
        sizes,
        st.sampled_from(["STANDARD", "GLACIER"]),
        owners,
        st.sampled_from([None, "CRC32"]),
    ),
    max_size=5,
)
versions = st.lists(
    st.one_of(
        st.builds(
            listing.VersionEntry,
            names,
            tokens,
            st.booleans(),
            instants,
            st.just(False),
            etags,
            sizes,
            st.just("STANDARD"),
            owners,
        ),
        st.builds(
            listing.VersionEntry,
            names,
            tokens,
            st.booleans(),
            instants,
            st.just(True),
            st.just(""),
            st.just(0),
            st.just("STANDARD"),
            owners,
        ),
    ),
    max_size=5,
)
heads = (text, names, optional_names, st.integers(0, 1000), encoding, st.booleans())
prefixes = st.lists(names, max_size=3)


@given(
    st.lists(st.text(st.sampled_from('ab/ +=&<>"%~\n\r\t\0\x01ä🎉\ufffe')), max_size=5),
    st.sampled_from([None, "url"]),
)
def test_names_are_encoded_as_each_of_them_is(names: list[str], coding: str | None) -> None:
    each = [xml.escape(encode_name(name, coding) or "") for name in names]
    assert list(encode_names(names, coding)) == each
    if coding is not None:
        assert [unquote(text) for text in each] == names


@given(st.builds(listing.ObjectList, *heads, entries, prefixes, names, optional_names))
def test_list_objects(page: listing.ObjectList) -> None:
    assert listing.parse_objects(listing.render_objects(page)) == page


@given(
    st.builds(
        listing.ObjectListV2,
        *heads,
        entries,
        prefixes,
        st.none() | tokens,
        st.none() | tokens,
        optional_names,
    )
)
def test_list_objects_v2(page: listing.ObjectListV2) -> None:
    assert listing.parse_objects_v2(listing.render_objects_v2(page)) == page


@given(
    st.builds(
        listing.VersionList,
        *heads,
        versions,
        prefixes,
        names,
        tokens,
        optional_names,
        st.none() | tokens,
    )
)
def test_list_versions(page: listing.VersionList) -> None:
    assert listing.parse_versions(listing.render_versions(page)) == page


@given(pairs=st.lists(st.tuples(names, instants), max_size=3), nested=st.booleans())
def test_plain_lists_come_back_or_fail_but_never_lie(
    pairs: list[tuple[str, int]], *, nested: bool
) -> None:
    found = [listing.Entry(key, modified_ns, "0" * 32, 1) for key, modified_ns in pairs]
    page = listing.ObjectList("b", "", "/" if nested else None, 9, None, False, found, [])
    data = listing.render_objects(page)
    if all(xml.expressible(key) for key, _ in pairs):
        assert listing.parse_objects(data) == page
    else:
        try:
            root = xml.parse(data, "ListBucketResult")
        except S3Error:
            return
        # U+FFFE and U+FFFF are forbidden, yet expat reads them as they are.
        assert [child.get("Key") for child in root.all("Contents")] == [key for key, _ in pairs]


@given(
    owners,
    st.lists(st.builds(buckets.Bucket, text, instants), max_size=4),
    st.none() | text,
    st.none() | tokens,
)
def test_list_buckets(
    owner: Owner | None, found: list[buckets.Bucket], prefix: str | None, token: str | None
) -> None:
    result = buckets.BucketList(owner, found, prefix, token)
    assert buckets.parse_list(buckets.render_list(result)) == result


@given(st.from_regex(r"\A[a-z0-9-]{1,20}\Z"))
def test_locations(region: str) -> None:
    assert buckets.parse_location(buckets.render_location(region)) == region
    assert buckets.parse_create(buckets.render_create(region)) == region


@given(st.none() | st.sampled_from(["Enabled", "Suspended"]))
def test_versioning(status: str | None) -> None:
    assert buckets.parse_versioning(buckets.render_versioning(status)) == status


# The version is told by a header.
@given(st.builds(copy.CopyResult, etags, instants, checksums, version_id=st.none()))
def test_copies(result: copy.CopyResult) -> None:
    assert copy.parse(copy.render(result)) == result
    assert copy.parse_part(copy.render_part(result)) == result


@given(text, text, tokens, st.dictionaries(st.sampled_from(["Key", "Region"]), text))
def test_errors(message: str, resource: str, request: str, fields: dict[str, str]) -> None:
    made = error.ErrorDocument("NoSuchKey", message, resource, request, fields)
    assert error.parse(error.render(made)) == made


@given(
    objects=st.lists(
        st.builds(delete.ObjectIdentifier, text, *[st.none() | tokens] * 4), min_size=1, max_size=5
    ),
    quiet=st.booleans(),
)
def test_deletions(objects: list[delete.ObjectIdentifier], *, quiet: bool) -> None:
    request = delete.DeleteRequest(objects, quiet)
    assert delete.parse_request(delete.render_request(request)) == request


@given(
    st.lists(
        st.builds(delete.Deleted, text, st.none() | tokens, st.booleans(), st.none() | tokens),
        max_size=4,
    ),
    st.lists(st.builds(delete.DeleteFailure, text, tokens, text, st.none() | tokens), max_size=4),
)
def test_deletion_results(
    deleted: list[delete.Deleted], failures: list[delete.DeleteFailure]
) -> None:
    result = delete.DeleteResult(deleted, failures)
    assert delete.parse_result(delete.render_result(result)) == result


@given(st.builds(multipart.CreatedUpload, text, text, tokens))
def test_created_uploads(result: multipart.CreatedUpload) -> None:
    assert multipart.parse_created(multipart.render_created(result)) == result


@given(
    st.lists(
        st.builds(multipart.CompletedPart, st.integers(1, 10_000), etags, checksums),
        min_size=1,
        max_size=5,
    )
)
def test_completing(parts: list[multipart.CompletedPart]) -> None:
    assert multipart.parse_complete(multipart.render_complete(parts)) == parts


@given(
    st.builds(multipart.CompletedUpload, text, text, text, etags, checksums, version_id=st.none())
)
def test_completed_uploads(result: multipart.CompletedUpload) -> None:
    assert multipart.parse_completed(multipart.render_completed(result)) == result


@given(
    st.builds(
        multipart.PartList,
        text,
        text,
        tokens,
        st.integers(0, 9999),
        st.none() | st.integers(1, 10_000),
        st.integers(0, 1000),
        st.booleans(),
        st.lists(
            st.builds(multipart.Part, st.integers(1, 10_000), instants, etags, sizes, checksums),
            max_size=4,
        ),
        owners,
        st.just("STANDARD"),
        st.sampled_from([None, "CRC32"]),
        types,
    )
)
def test_part_lists(page: multipart.PartList) -> None:
    assert multipart.parse_parts(multipart.render_parts(page)) == page


@given(
    st.builds(
        multipart.UploadList,
        *heads,
        st.lists(
            st.builds(
                multipart.Upload,
                names,
                tokens,
                instants,
                owners,
                st.just("STANDARD"),
                st.sampled_from([None, "CRC32"]),
                types,
            ),
            max_size=4,
        ),
        prefixes,
        names,
        tokens,
        optional_names,
        st.none() | tokens,
    )
)
def test_upload_lists(page: multipart.UploadList) -> None:
    assert multipart.parse_uploads(multipart.render_uploads(page)) == page


@given(st.binary(max_size=400))
def test_no_bytes_crash_a_parser(data: bytes) -> None:
    for parse in (
        listing.parse_objects_v2,
        listing.parse_versions,
        buckets.parse_list,
        buckets.parse_create,
        delete.parse_request,
        multipart.parse_complete,
        multipart.parse_parts,
        error.parse,
    ):
        with contextlib.suppress(S3Error):
            parse(data)


@given(st.dictionaries(text.filter(bool), text, max_size=5))
def test_tags(tags: dict[str, str]) -> None:
    tags = {key[:100]: value[:200] for key, value in tags.items() if not key.startswith("aws:")}
    assert tagging.parse(tagging.render(tags), limit=5) == tags


attribute_pages = st.none() | st.builds(
    attributes.AttributeParts,
    sizes,
    sizes,
    sizes,
    sizes,
    st.booleans(),
    st.lists(st.builds(attributes.AttributePart, sizes, sizes, checksums), max_size=3),
)


@given(
    st.builds(
        attributes.ObjectAttributes,
        st.none() | etags,
        checksums,
        attribute_pages,
        st.none() | tokens,
        st.none() | sizes,
    )
)
def test_attributes(made: attributes.ObjectAttributes) -> None:
    assert attributes.parse(attributes.render(made)) == made
