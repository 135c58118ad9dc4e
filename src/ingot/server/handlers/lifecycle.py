"""The lifecycle rules of a bucket."""

from __future__ import annotations

from ingot.base.units import KIB
from ingot.s3.documents.lifecycle import LifecycleRule, parse, render
from ingot.s3.errors import S3Error
from ingot.s3.lifecyclerules import check
from ingot.server.body import read_document
from ingot.server.request import Request
from ingot.server.response import Response, document, empty
from ingot.server.service import Service
from ingot.store.lifecycle import SETTING

_BYTES_MAX = 512 * KIB


async def get_bucket_lifecycle(request: Request, service: Service) -> Response:
    """Answer the rules."""
    text = service.store.buckets.get(request.bucket).settings.get(SETTING)
    if text is None:
        raise S3Error("NoSuchLifecycleConfiguration")
    return document(text.encode())


async def put_bucket_lifecycle(request: Request, service: Service) -> Response:
    """Replace the rules."""
    service.store.buckets.get(request.bucket)
    rules = parse(await read_document(request, size_bytes_max=_BYTES_MAX))
    check(rules)
    if any(rule.transitions or rule.noncurrent_transitions for rule in rules):
        raise S3Error(
            "NotImplemented", "There is no other storage that objects could move to (Transition)."
        )
    named = _named(rules)
    await service.store.buckets.set_setting(request.bucket, SETTING, render(named).decode())
    return empty(200)


async def delete_bucket_lifecycle(request: Request, service: Service) -> Response:
    """Take the rules away."""
    await service.store.buckets.set_setting(request.bucket, SETTING, None)
    return empty(204)


def _named(rules: list[LifecycleRule]) -> list[LifecycleRule]:
    """Give a name to rules that have none, so that they can be told apart."""
    taken = {rule.id for rule in rules}
    names = (f"rule-{number}" for number in range(1, 2 * len(rules) + 1))
    free = (name for name in names if name not in taken)
    return [rule if rule.id else rule._replace(id=next(free)) for rule in rules]
