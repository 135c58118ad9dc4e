"""What the parts of a store share."""

from __future__ import annotations

from typing import NamedTuple

from ingot.base.clock import Clock
from ingot.store.bodies import Bodies
from ingot.store.buckets import Buckets
from ingot.store.catalog.contract import Catalog
from ingot.store.changes import Changes


class Core(NamedTuple):
    """The things that objects, uploads and maintenance are made from."""

    catalog: Catalog
    bodies: Bodies
    buckets: Buckets
    changes: Changes
    clock: Clock
