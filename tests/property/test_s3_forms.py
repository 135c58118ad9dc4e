"""Forms come out as they went in, however the network cuts them; anything is read or refused."""

from __future__ import annotations

import contextlib
import email.parser
import email.policy
import itertools

from hypothesis import given
from hypothesis import strategies as st

from ingot.s3.errors import S3Error
from ingot.s3.forms import Field, File, FormParser

BOUNDARIES = st.sampled_from([b"x", b"----WebKitFormBoundaryAbC", b"a-", b"--"])
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True).filter(lambda name: name != "file")
# Bytes that delimiters are made of come often.
PIECES = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"-", b"--", b"x", b"a-", b"\r\n--", b"\0\xff", b"y"]
)
CONTENTS = st.lists(PIECES, max_size=30).map(b"".join)
VALUES = CONTENTS.map(lambda raw: raw.decode("latin-1"))


@st.composite
def forms(draw):
    """Return the boundary, the fields, the file's name and content, and the encoded form."""
    boundary = draw(BOUNDARIES)
    forbidden = b"\r\n--" + boundary

    def holds_none(raw):
        return forbidden not in b"\r\n" + raw + b"\r\n--"

    values = VALUES.filter(lambda value: holds_none(value.encode()))
    fields = draw(st.lists(st.tuples(NAMES, values), max_size=4))
    filename = draw(st.sampled_from(["", "cat.jpg", "ä ö.txt", 'a"b', "C:\\cats\\cat.jpg", "a/b"]))
    content = draw(CONTENTS.filter(holds_none))
    encoded = b""
    for name, value in fields:
        head = f'--{boundary.decode()}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        encoded += head.encode() + value.encode() + b"\r\n"
    quoted = filename.replace("\\", "\\\\").replace('"', '\\"')
    disposition = f'Content-Disposition: form-data; name="file"; filename="{quoted}"'
    kind = "Content-Type: image/png"
    encoded += b"--" + boundary + f"\r\n{disposition}\r\n{kind}\r\n\r\n".encode()
    encoded += content + b"\r\n--" + boundary
    encoded += draw(st.sampled_from([b"--", b"--\r\n", b"--\r\nepilogue", b"\r\n\r\nmore\r\n"]))
    return boundary, fields, filename, content, draw(st.sampled_from([b"", b"pre\r\n"])) + encoded


def cut(data, cuts):
    edges = [0, *sorted(at % (len(data) + 1) for at in cuts), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(edges)]


@given(form=forms(), cuts=st.lists(st.integers(min_value=0, max_value=10_000), max_size=40))
def test_what_was_sent_is_read_however_it_is_cut(form, cuts):
    boundary, fields, filename, content, encoded = form
    parser = FormParser(boundary)
    events = [event for piece in cut(encoded, cuts) for event in parser.feed(piece)]
    parser.finish()
    assert [event for event in events if isinstance(event, Field)] == [Field(*f) for f in fields]
    name = filename.replace("\\", "/").rpartition("/")[2]
    assert [event for event in events if isinstance(event, File)] == [File(name)]
    assert b"".join(event for event in events if isinstance(event, bytes)) == content
    assert isinstance(events[len(fields)], File)


@given(form=forms())
def test_another_reader_reads_the_same(form):
    boundary, fields, _, content, encoded = form
    head = b'Content-Type: multipart/form-data; boundary="' + boundary + b'"\r\n\r\n'
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + encoded)
    parts = [part.get_payload(decode=True) for part in message.iter_parts()]
    if any(b"\r" in value.replace(b"\r\n", b"") or b"\n" in value.replace(b"\r\n", b"")
           for value in [content, *(value.encode() for _, value in fields)]):  # fmt: skip
        return  # that reader takes lone ends of lines for ends of lines
    assert parts[: len(fields) + 1] == [*(value.encode() for _, value in fields), content]


@given(
    boundary=BOUNDARIES,
    pieces=st.lists(
        PIECES
        | st.sampled_from(
            [
                b"\r\n\r\n",
                b'Content-Disposition: form-data; name="file"',
                b'Content-Disposition: form-data; name="key"',
                b"----WebKitFormBoundaryAbC",
                b"--x",
            ]
        )
        | st.binary(max_size=20),
        max_size=30,
    ),
)
def test_anything_is_read_or_refused_and_never_more_than_came(boundary, pieces):
    parser = FormParser(boundary)
    came = read = 0
    with contextlib.suppress(S3Error):
        for piece in pieces:
            came += len(piece)
            for event in parser.feed(piece):
                read += len(event) if isinstance(event, bytes) else 0
            assert read <= came
        parser.finish()
