"""Trees drawn while what they show goes away."""

from __future__ import annotations

from collections.abc import Iterator

from ingot.base.errors import NotFoundError
from ingot.base.secret import Secret
from ingot.client.addresses import RemoteAddress
from ingot.client.aliases import Alias
from ingot.client.drawing import draw
from ingot.client.listing import Line

ROOT = RemoteAddress(Alias("s3", "http://127.0.0.1:1", "", Secret("")), "bucket")


def test_a_folder_that_is_empty_when_it_is_its_turn_does_not_end_the_drawing() -> None:
    def listing(folder: RemoteAddress) -> Iterator[Line]:
        if folder.key == "gone/":
            raise NotFoundError("there is nothing at s3/bucket/gone/")
        names = ["gone/", "kept/"] if not folder.key else []
        return iter([Line(name, "bucket/", is_folder=True) for name in names])

    twigs = list(draw(listing, ROOT, with_files=False, levels=None))
    assert [twig.branch + twig.line.name for twig in twigs] == ["├─ gone/", "└─ kept/"]
