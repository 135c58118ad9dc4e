"""What documents must not say, and details that SDKs depend on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ingot.base.limits import DELETE_KEYS_MAX, PARTS_MAX
from ingot.s3.documents import buckets, copy, delete, listing, multipart
from ingot.s3.documents.common import decode_name, encode_name
from ingot.s3.errors import S3Error


def page(**changes: object) -> listing.ObjectListV2:
    plain = listing.ObjectListV2("b", "", None, 1000, "url", False, [], [])
    return plain._replace(**changes)


def completing(parts: str) -> str:
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"


def test_spaces_and_pluses_are_told_apart() -> None:
    assert encode_name("a b+c/ä", "url") == "a%20b%2Bc/%C3%A4"
    assert decode_name("a+b%20c%2B", "url") == "a b c+"
    assert decode_name("a+b%20", None) == "a+b%20"


def test_other_encodings_are_refused() -> None:
    with pytest.raises(S3Error) as caught:
        listing.render_objects_v2(page(encoding_type="base64"))
    assert caught.value.fields["ArgumentName"] == "encoding-type"


def test_the_count_of_keys_is_that_of_entries_and_prefixes() -> None:
    entry = listing.Entry("k", 0, "e", 1)
    data = listing.render_objects_v2(page(entries=[entry], common_prefixes=["a/", "b/"]))
    assert b"<KeyCount>3</KeyCount>" in data
    assert b"<ETag>&quot;e&quot;</ETag>" in data


def test_the_oldest_region_has_no_name() -> None:
    assert buckets.parse_location(buckets.render_location("us-east-1")) == "us-east-1"
    assert b"us-east-1" not in buckets.render_location("us-east-1")


def test_a_bucket_may_be_made_without_a_document() -> None:
    assert buckets.parse_create(b"") is None
    assert buckets.parse_create(b"<CreateBucketConfiguration/>") is None


@pytest.mark.parametrize(
    ("parse", "data"),
    [
        (delete.parse_request, "<Delete/>"),
        (delete.parse_request, "<Delete><Object/></Delete>"),
        (
            delete.parse_request,
            f"<Delete>{'<Object><Key>k</Key></Object>' * (DELETE_KEYS_MAX + 1)}</Delete>",
        ),
        (multipart.parse_complete, "<CompleteMultipartUpload/>"),
        (
            multipart.parse_complete,
            completing("<Part><ETag>e</ETag></Part>"),
        ),
        (
            multipart.parse_complete,
            completing("<Part><PartNumber>-1</PartNumber><ETag>e</ETag></Part>"),
        ),
        (
            multipart.parse_complete,
            completing("<Part><PartNumber>1</PartNumber></Part>"),
        ),
        (
            multipart.parse_complete,
            completing("<Part><PartNumber>1</PartNumber><ETag>e</ETag></Part>" * (PARTS_MAX + 1)),
        ),
        (
            buckets.parse_list,
            (
                "<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name>"
                "<CreationDate>x</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>"
            ),
        ),
    ],
)
def test_documents_that_do_not_say_enough(parse: Callable[[bytes], object], data: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse(data.encode())
    assert caught.value.code == "MalformedXML"


def test_what_other_services_leave_out() -> None:
    bare = b"<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name></Bucket></Buckets>"
    found = buckets.parse_list(bare + b"</ListAllMyBucketsResult>")
    assert found == buckets.BucketList(None, [buckets.Bucket("b", 0)])
    assert copy.parse(b"<CopyObjectResult/>") == copy.CopyResult("", 0)


def test_an_upload_of_the_most_parts_is_read() -> None:
    parts = [multipart.CompletedPart(number, "e") for number in range(1, PARTS_MAX + 1)]
    assert multipart.parse_complete(multipart.render_complete(parts)) == parts
