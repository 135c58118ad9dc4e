import pytest

from ingot.base.errors import UsageError
from ingot.vm.machine import check_name, parse_cpus, parse_memory_mib


@pytest.mark.parametrize("name", ["store", "a", "Store-2.test_x", "9" * 63])
def test_a_machine_can_have_this_name(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "-x", "x-", "a/b", "ü", "9" * 64, "a b", "a,b"])
def test_a_machine_cannot_have_this_name(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a machine"):
        check_name(name)


@pytest.mark.parametrize(
    ("text", "memory_mib"), [("512", 512), ("512M", 512), ("1G", 1024), ("1.5G", 1536), ("64", 64)]
)
def test_memory_is_in_mib_unless_it_says_otherwise(text: str, memory_mib: int) -> None:
    assert parse_memory_mib(text) == memory_mib


@pytest.mark.parametrize("text", ["63", "0", "1000000B", "2048G", "much", "2T"])
def test_memory_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_memory_mib(text)


@pytest.mark.parametrize("count", [0, -1, 65])
def test_cpus_out_of_bounds_are_refused(count: int) -> None:
    with pytest.raises(UsageError, match=f"{count} CPUs"):
        parse_cpus(count)


def test_cpus_within_bounds_are_taken() -> None:
    assert parse_cpus(64) == 64
