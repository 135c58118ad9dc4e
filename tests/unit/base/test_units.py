import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.base.errors import UsageError
from ingot.base.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("1000", 1000),
        ("4G", 4 << 30),
        ("512MiB", 512 << 20),
        ("1.5k", 1536),
        (" 7 kb ", 7168),
        ("10B", 10),
    ],
)
def test_sizes_are_powers_of_1024(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


def test_a_bare_number_takes_the_default_unit() -> None:
    assert parse_size("4", default_unit="g") == 4 << 30
    assert parse_size("4B", default_unit="g") == 4


@pytest.mark.parametrize("text", ["", "G", "4X", "-1", "1 2", "4GG", "1e3"])
def test_what_is_no_size_is_a_usage_error_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_size(text)
    assert repr(text) in caught.value.message
    assert caught.value.hint


@given(st.integers(min_value=0, max_value=1 << 60))
def test_every_byte_count_reads_back(size_bytes: int) -> None:
    assert parse_size(str(size_bytes)) == size_bytes


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (4 << 30, "4.0 GiB"),
        (1 << 61, "2048.0 PiB"),
    ],
)
def test_sizes_for_people(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [("0", 0), ("10", 10), ("250ms", 0.25), ("1h30m", 5400), ("7d", 604800), ("1.5s", 1.5)],
)
def test_durations(text: str, duration_s: float) -> None:
    assert parse_duration(text) == duration_s


@pytest.mark.parametrize("text", ["", "s", "1x", "1h-2m", "one"])
def test_what_is_no_duration_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(0.85, "850 ms"), (12.34, "12.3 s"), (245, "4m05s"), (7380, "2h03m")],
)
def test_durations_for_people(duration_s: float, text: str) -> None:
    assert format_duration(duration_s) == text
