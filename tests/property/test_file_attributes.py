"""What is kept of a file comes back; what others wrote never breaks a download."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingot.client.attributes import FileAttributes

_IDS = st.integers(0, 2**32 - 2)


@given(
    modified_ns=st.integers(-9_000_000_000 * 10**9, 9_000_000_000 * 10**9),
    mode=st.integers(0, 0o777),
    uid=_IDS,
    gid=_IDS,
)
def test_all_of_it_comes_back(modified_ns: int, mode: int, uid: int, gid: int) -> None:
    kept = FileAttributes(modified_ns, mode, uid, gid)
    assert FileAttributes.parse(kept.metadata()) == kept
    (only_time,) = (FileAttributes(modified_ns),)
    assert FileAttributes.parse({"mtime": kept.metadata()["mtime"]}) == only_time


@given(attributes=st.text(), mtime=st.text())
def test_anything_is_read(attributes: str, mtime: str) -> None:
    read = FileAttributes.parse({"mc-attrs": attributes, "mtime": mtime})
    assert read.mode is None or 0 <= read.mode <= 0o777
    assert read.modified_ns is None or abs(read.modified_ns) < 2**63


def test_a_time_before_1970_is_written_as_others_read_it() -> None:
    kept = FileAttributes(-5_500_000_000, 0o644).metadata()
    assert kept["mtime"] == "-5.500000000"
    assert kept["mc-attrs"] == "mode:33188/mtime:-6#500000000"


def test_nothing_known_is_nothing_kept() -> None:
    assert FileAttributes().metadata() == {}
    assert FileAttributes.parse({}) == FileAttributes()
