"""Trees drawn while what they show goes away."""

from __future__ import annotations

from collections.abc import Iterator

from ingot.base.errors import NotFoundError
from ingot.client.drawing import draw
from ingot.client.listing import Line


def test_a_folder_that_is_empty_when_it_is_its_turn_does_not_end_the_drawing() -> None:
    def listing(path: str) -> Iterator[Line]:
        if path == "gone/":
            raise NotFoundError("there is nothing at s3/bucket/gone/")
        names = ["gone/", "kept/"] if not path else []
        return iter([Line(name, "bucket/", is_folder=True) for name in names])

    twigs = list(draw(listing, with_files=False, levels=None))
    assert [twig.branch + twig.line.name for twig in twigs] == ["├─ gone/", "└─ kept/"]
