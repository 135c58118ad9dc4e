from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ingot.vm.guest.scripts import MarkerFilter, streams, terminal

TOKEN = "0123456789abcdef"
MARK = b"\0" + TOKEN.encode()


@given(
    data=st.lists(st.sampled_from([b"\0", b"0", b"01", MARK[:-1], b"a\n", bytes(20)])).map(
        b"".join
    ),
    cuts=st.lists(st.integers(0, 80)),
    behind=st.binary(max_size=5),
)
def test_a_stream_ends_at_its_mark_however_it_is_cut(
    data: bytes, cuts: list[int], behind: bytes
) -> None:
    whole = data + MARK + behind
    filtered = MarkerFilter(TOKEN)
    places = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
    passed = b"".join(filtered.feed(whole[begin:end]) for begin, end in pairwise(places))
    assert (passed, filtered.done, filtered.rest()) == (data, True, b"")


def test_nothing_is_held_back_that_cannot_be_a_mark() -> None:
    filtered = MarkerFilter(TOKEN)
    assert filtered.feed(b"prompt> ") == b"prompt> "
    assert filtered.feed(b"ends in a zero\0") == b"ends in a zero"
    assert filtered.rest() == b"\0"
    assert not filtered.done


def test_the_words_of_a_command_are_words_of_the_script() -> None:
    """No shell reads them: they come behind it, as they are."""
    command = ["/bin/x", "a b", "$(reboot)", "'"]
    assert streams(TOKEN, command, has_input=True)[-6:] == [TOKEN, "yes", *command]
    words = terminal(TOKEN, "/dev/hvc0", (24, 80), "xterm", command)
    assert words[-9:] == [TOKEN, "/dev/hvc0", "24", "80", "xterm", *command]
