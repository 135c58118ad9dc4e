"""Debian's version order: total, and the same as dpkg's own."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.debian.version import version_key

# Few characters make near misses likely.
PART = st.text("0129.+~ab", min_size=1, max_size=6)
VERSION = st.builds(
    lambda epoch, upstream, revision: epoch + "1" + upstream + revision,
    st.sampled_from(["", "0:", "1:"]),
    PART,
    st.one_of(st.just(""), PART.map(lambda part: f"-{part}")),
)


@given(VERSION, VERSION, VERSION)
def test_the_order_is_total(a: str, b: str, c: str) -> None:
    x, y, z = version_key(a), version_key(b), version_key(c)
    assert (x < y) + (x == y) + (x > y) == 1
    if x <= y <= z:
        assert x <= z


@given(VERSION)
def test_a_tilde_comes_before_and_a_letter_after(version: str) -> None:
    assert version_key(version + "~") < version_key(version) < version_key(version + "a")


# dpkg is a process per comparison: fewer examples, and no deadline on a busy machine.
@settings(max_examples=150, deadline=None)
@given(VERSION, VERSION)
def test_the_order_is_dpkgs(left: str, right: str) -> None:
    program = shutil.which("dpkg")
    if program is None:
        pytest.fail("dpkg is part of every Debian system, and these tests need one")
    relation = "lt" if version_key(left) < version_key(right) else "ge"
    command = [program, "--compare-versions", left, relation, right]
    assert subprocess.run(command, check=False).returncode == 0, (left, relation, right)
