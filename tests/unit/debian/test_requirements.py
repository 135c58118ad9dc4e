"""Locked requirements files are read whole or refused with the line."""

import pytest

from ingot.base.errors import UsageError
from ingot.debian.requirements import Requirement, normalized, parse_requirements

A, B = "a" * 64, "b" * 64


def test_continued_lines_comments_and_extras() -> None:
    text = f"""# by a tool
msgspec==0.22.0 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
    # via app
uvicorn[standard]==1.0  --hash=sha256:{A}
"""
    assert parse_requirements(text, "w.txt") == [
        Requirement("msgspec", "0.22.0", (A, B)),
        Requirement("uvicorn", "1.0", (A,)),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "msgspec==1.0",
        f"msgspec>=1.0 --hash=sha256:{A}",
        f"msgspec --hash=sha256:{A}",
        f"msgspec==1.0 ; python_version > '3' --hash=sha256:{A}",
        f"msgspec @ file:///x.whl --hash=sha256:{A}",
        "--index-url x",
        "-r other.txt",
        "msgspec==1.0 --hash=md5:00",
    ],
)
def test_what_is_not_locked_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(UsageError, match=r"^w\.txt:2: "):
        parse_requirements(f"\n{line}\n", "w.txt")


def test_a_requirement_can_be_narrowed_to_one_digest() -> None:
    requirement = Requirement("a", "1", (A, B))
    assert requirement.line() == f"a==1 --hash=sha256:{A} --hash=sha256:{B}"
    assert requirement.line((B,)) == f"a==1 --hash=sha256:{B}"


def test_names_compare_normalized() -> None:
    assert normalized("Backports.ZSTD_x") == "backports-zstd-x"
