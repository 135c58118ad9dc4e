"""Queries and the stream of their answer: what is written is read, and damage is found."""

from __future__ import annotations

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.base.errors import IntegrityError
from ingot.s3 import xml
from ingot.s3.documents import select
from ingot.s3.errors import S3Error
from ingot.s3.eventstream import Decoder, Message, encode

text = st.none() | st.text(st.sampled_from("a;,\t\n\r\"'&<é"), min_size=1, max_size=3)
inputs = st.one_of(
    st.builds(
        select.CsvInput,
        st.none() | st.sampled_from(select.HEADER_USES),
        *[text] * 5,
        st.booleans(),
    ),
    st.builds(select.JsonInput, st.sampled_from(["DOCUMENT", "LINES"])),
    st.just(select.ParquetInput()),
)
outputs = st.one_of(
    st.builds(select.CsvOutput, *[text] * 4, st.none() | st.sampled_from(select.QUOTES)),
    st.builds(select.JsonOutput, text),
)
requests = st.builds(
    select.SelectRequest,
    st.text(st.sampled_from("select * from S3Object s where s.a > '3' \n"), max_size=50),
    inputs,
    outputs,
    st.sampled_from(select.COMPRESSIONS),
)
headers = st.dictionaries(
    st.text("abc:-é", min_size=1, max_size=9), st.text(max_size=20), max_size=3
)
messages = st.lists(st.builds(Message, headers, st.binary(max_size=100)), max_size=4)


SQL = "<Expression>x</Expression><ExpressionType>SQL</ExpressionType>"
JSON = "<OutputSerialization><JSON/></OutputSerialization>"


@given(requests)
def test_requests(request: select.SelectRequest) -> None:
    assert select.parse(select.render(request)) == request


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<Expression>x</Expression><ExpressionType>XPATH</ExpressionType>",
        f"{SQL}<InputSerialization/><OutputSerialization/>",
        f"{SQL}<InputSerialization><CSV/><JSON/></InputSerialization>{JSON}",
        f"{SQL}<InputSerialization><JSON><Type>MAYBE</Type></JSON></InputSerialization>{JSON}",
    ],
)
def test_what_is_no_request(content: str) -> None:
    with pytest.raises(S3Error):
        select.parse(xml.document("SelectObjectContentRequest", content))


@given(messages, st.lists(st.integers(0, 600), max_size=6))
def test_messages_arrive_in_any_pieces(sent: list[Message], cuts: list[int]) -> None:
    data = b"".join(encode(message) for message in sent)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    decoder = Decoder()
    found = []
    for start, end in pairwise(places):
        found += decoder.feed(data[start:end])
    assert found == sent
    assert decoder.is_between


@given(st.builds(Message, headers, st.binary(max_size=50)), st.data())
def test_a_changed_bit_is_found(message: Message, data: st.DataObject) -> None:
    damaged = bytearray(encode(message))
    position = data.draw(st.integers(0, len(damaged) - 1))
    damaged[position] ^= 1 << data.draw(st.integers(0, 7))
    decoder = Decoder()
    with pytest.raises(IntegrityError):
        list(decoder.feed(bytes(damaged)))


@given(st.binary(max_size=200))
def test_anything_is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(IntegrityError):
        list(Decoder().feed(data))
