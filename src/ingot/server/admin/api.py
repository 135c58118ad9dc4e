"""One request to the admin API: routed, authenticated, permitted, handled."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final

from ingot.iam.policies import ARN_PREFIX
from ingot.s3.errors import S3Error
from ingot.server.admin.operations import OPERATIONS, PREFIX, ROOT_FAMILIES, match
from ingot.server.auth import authenticate
from ingot.server.handlers.table import Handler, function_name
from ingot.server.permissions import context_of
from ingot.server.request import Request
from ingot.server.response import Response
from ingot.server.routing import bucket_of_host
from ingot.server.service import Service

# What administrators of MinIO's kind sign for.
_ANY_REGION: Final = ""
# Everybody with a key may ask what they themselves may do.
_FREE: Final = "AdminAccountInfo"


def is_admin(request: Request, service: Service) -> bool:
    """Tell whether a request is for the admin API and not for a bucket of a host name."""
    if not request.raw_path.startswith(PREFIX):
        return False
    return bucket_of_host(request.headers.get("host", ""), service.domains) is None


async def answer(request: Request, service: Service) -> Response:
    """Answer a request to the admin API.

    Raises:
        S3Error: `NotImplemented`, `AccessDenied`, and whatever is wrong with the signature.
    """
    operation = request.operation = match(request.method, request.raw_path)
    identity = request.identity = authenticate(request, service, region=_ANY_REGION)
    if not identity.name:
        raise S3Error("AccessDenied")
    if operation.family in ROOT_FAMILIES:
        if not identity.is_root:
            raise S3Error("AccessDenied", "Only root keys may do this.")
    elif operation.name != _FREE:
        context = context_of(request, identity, service.clock.now_ns())
        if not identity.may(operation.action, f"{ARN_PREFIX}*", context):
            raise S3Error("AccessDenied")
    return await _HANDLERS[operation.name](request, service)


def _load() -> Mapping[str, Handler]:
    handlers: dict[str, Handler] = {}
    for operation in OPERATIONS.values():
        module = importlib.import_module(f"ingot.server.admin.{operation.family}")
        handlers[operation.name] = getattr(module, function_name(operation.name))
    return handlers


_HANDLERS: Final = _load()
