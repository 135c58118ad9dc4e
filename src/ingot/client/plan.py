"""What to do to make a target like a source: a merge of two ordered listings; pure, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from ingot.base.errors import Error
from ingot.client.entries import AncestorStack, Entry, Listed, Obstacle, is_sorted_before


class Copy(msgspec.Struct, frozen=True, gc=False):
    """Write `source` over there.

    Attributes:
        source: what to write.
        target: what is there now and differs, or None.
        displaced: a file of the target that stands where this name needs a folder: it goes first.
        is_new: nothing had this name; if something has when it is written, that stays.
    """

    source: Entry
    target: Entry | None
    displaced: str | None = None
    is_new: bool = False


class Compare(msgspec.Struct, frozen=True, gc=False):
    """Sizes agree but the listings cannot tell: compare contents, then keep or copy."""

    source: Entry
    target: Entry


class Same(msgspec.Struct, frozen=True, gc=False):
    """Nothing to do."""

    source: Entry


class Remove(msgspec.Struct, frozen=True, gc=False):
    """Delete `target`: the source does not have it."""

    target: Entry


class Refuse(msgspec.Struct, frozen=True, gc=False):
    """This name, of one side, cannot be made alike; the run goes on and reports it as failed."""

    name: str
    reason: str
    in_target: bool = False


class Skip(msgspec.Struct, frozen=True, gc=False):
    """This name, of one side, is left out on purpose; the user is told."""

    name: str
    reason: str
    in_target: bool = False


Step = Copy | Compare | Same | Remove | Refuse | Skip


@dataclass(frozen=True, slots=True)
class Rules:
    """What a plan may do.

    Attributes:
        remove: delete what only the target has.
        target_is_tree: the target is a file tree, which cannot hold both `a` and `a/b`.
    """

    remove: bool = False
    target_is_tree: bool = False


def plan(source: Iterable[Listed], target: Iterable[Listed], rules: Rules) -> Iterator[Step]:
    """Yield the steps in the order of names, reading one entry ahead of each listing.

    Args:
        source: what should be, strictly ascending by name.
        target: what is, strictly ascending by name.
        rules: what is allowed.

    Raises:
        Error: a listing is not in order, so nothing can be concluded from it.
    """
    merge = _Merge(rules)
    left, right = _ordered(source, "source"), _ordered(target, "target")
    wanted, present = next(left, None), next(right, None)
    while wanted is not None or present is not None:
        if present is None or (wanted is not None and is_sorted_before(wanted.name, present.name)):
            assert wanted is not None
            yield merge.only_wanted(wanted)
            wanted = next(left, None)
        elif wanted is None or is_sorted_before(present.name, wanted.name):
            step = merge.only_present(present)
            if step is not None:
                yield step
            present = next(right, None)
        else:
            yield merge.both(wanted, present)
            wanted, present = next(left, None), next(right, None)


class _Merge:
    """Decides each name; remembers what stands above the names still to come."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        # Source files (a tree cannot hold anything below them) and source obstacles
        # (nothing below them is known, so nothing below them is removed).
        self._files = AncestorStack()
        self._unknown = AncestorStack()
        # Target obstacles: nothing is written below a link or a folder that cannot be read.
        self._closed = AncestorStack()
        # Target files that will be removed, in whose place a folder may be needed before that.
        self._removed = AncestorStack()

    def only_wanted(self, wanted: Listed) -> Step:
        if isinstance(wanted, Obstacle):
            return self._obstacle(wanted)
        return self._prevented(wanted) or Copy(wanted, None, self._removed.above(wanted.name))

    def both(self, wanted: Listed, present: Listed) -> Step:
        if isinstance(present, Obstacle):
            self._note_closed(present)
        if isinstance(wanted, Obstacle):
            return self._obstacle(wanted)
        if refusal := self._prevented(wanted):
            return refusal
        if isinstance(present, Obstacle):
            return Refuse(wanted.name, f"the target {present.reason}")
        return judge(wanted, present)

    def only_present(self, present: Listed) -> Step | None:
        if isinstance(present, Obstacle):
            self._note_closed(present)
        if not self._rules.remove or self._unknown.above(present.name) is not None:
            return None
        if isinstance(present, Obstacle):
            # It stays, so the target is not like the source.
            kind = Refuse if present.is_failure else Skip
            return kind(present.name, present.reason, in_target=True)
        if self._rules.target_is_tree:
            self._removed.above(present.name)
            self._removed.remember(present.name)
        return Remove(present)

    def _prevented(self, wanted: Entry) -> Refuse | None:
        """Tell why `wanted` cannot be written, and remember it for the names below it."""
        if closed := self._closed.above(wanted.name):
            return Refuse(wanted.name, f"the target has {closed!r}, which is no plain folder")
        if self._rules.target_is_tree:
            file = self._files.above(wanted.name)
            if file is not None:
                return Refuse(
                    wanted.name, f"{file!r} is an object too, and a file cannot also be a folder"
                )
            self._files.remember(wanted.name)
        return None

    def _obstacle(self, obstacle: Obstacle) -> Step:
        self._unknown.above(obstacle.name)
        self._unknown.remember(obstacle.name)
        kind = Refuse if obstacle.is_failure else Skip
        return kind(obstacle.name, obstacle.reason)

    def _note_closed(self, obstacle: Obstacle) -> None:
        self._closed.above(obstacle.name)
        self._closed.remember(obstacle.name)


def judge(wanted: Entry, present: Entry) -> Step:
    """Decide one name from what the listings say.

    Equal sizes and equal ETags mean equal content: an ETag is the MD5 of the body or of its
    parts' MD5s. Different ETags prove nothing, since the parts may have been cut differently
    or the bytes encrypted; times prove nothing either way.
    """
    if wanted.size_bytes != present.size_bytes:
        return Copy(wanted, present)
    if wanted.size_bytes == 0:
        return Same(wanted)
    if wanted.etag is not None and wanted.etag == present.etag:
        return Same(wanted)
    return Compare(wanted, present)


def _ordered(listing: Iterable[Listed], side: str) -> Iterator[Listed]:
    last: str | None = None
    for item in listing:
        if last is not None and not is_sorted_before(last, item.name):
            raise Error(
                f"the {side} is listed out of order: {item.name!r} after {last!r}",
                hint="mirror needs an endpoint that lists keys in UTF-8 byte order",
            )
        last = item.name
        yield item
