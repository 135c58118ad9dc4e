"""Further access keys of users and of root, which may allow less than their owner has."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ingot.base.newkeys import random_access_key, random_secret_key
from ingot.iam.directory import ROOT_NAME, AccessKey, Directory
from ingot.s3.dates import format_iso8601
from ingot.s3.errors import S3Error
from ingot.server.admin.exchange import (
    parameter,
    parameters,
    parse_expiration,
    parse_status,
    read_sealed,
    sealed,
    status_of,
)
from ingot.server.admin.policies import check_policy
from ingot.server.admin.users import check_access_key, check_secret_key, user_of
from ingot.server.request import Request
from ingot.server.response import Response, empty
from ingot.server.service import Service

_TEXT_LENGTH_MAX: Final = 256
_NO_POLICIES: Final = frozenset({"", "null", "{}", '""'})


class _Wanted(msgspec.Struct, rename="camel"):
    """A new access key, as clients write it."""

    policy: msgspec.Raw = msgspec.Raw(b"")
    target_user: str = ""
    access_key: str = ""
    secret_key: str = ""
    name: str = ""
    description: str = ""
    comment: str = ""
    expiration: str | None = None


class _Change(msgspec.Struct, rename="camel"):
    """What is to become of an access key; what is not said stays."""

    new_policy: msgspec.Raw = msgspec.Raw(b"")
    new_secret_key: str = ""
    new_status: str = ""
    new_name: str = ""
    new_description: str = ""
    new_expiration: str | None = None


async def admin_add_service_account(request: Request, service: Service) -> Response:
    """Make an access key; what of it is not given is made up."""
    wanted = await read_sealed(request, service, _Wanted)
    access_key = wanted.access_key or random_access_key()
    secret_key = wanted.secret_key or random_secret_key().reveal()
    check_access_key(access_key, service)
    check_secret_key(secret_key)
    expires_ns = parse_expiration(wanted.expiration, service.clock.now_ns())
    made = AccessKey(
        owner=_owner(wanted.target_user, service),
        secret_key=secret_key,
        policy=_policy(wanted.policy),
        name=_text(wanted.name),
        description=_text(wanted.description or wanted.comment),
        expires_ns=expires_ns,
    )

    def edit(directory: Directory) -> None:
        if made.owner != ROOT_NAME:
            user_of(directory, made.owner)
        if access_key in directory.keys or access_key in directory.users:
            raise S3Error("XMinioAdminInvalidAccessKey", "The access key is there already.")
        directory.keys[access_key] = made

    await service.identities.change(edit)
    credentials = {"accessKey": access_key, "secretKey": secret_key}
    if expires_ns:
        credentials["expiration"] = format_iso8601(expires_ns)
    return await sealed({"credentials": credentials}, request, service)


async def admin_update_service_account(request: Request, service: Service) -> Response:
    """Change an access key."""
    access_key = parameter(request, "accessKey")
    change = await read_sealed(request, service, _Change)
    fields: dict[str, Any] = {}
    if bytes(change.new_policy):
        fields["policy"] = _policy(change.new_policy)
    if change.new_secret_key:
        check_secret_key(change.new_secret_key)
        fields["secret_key"] = change.new_secret_key
    if change.new_status:
        # Older clients say "on" and "off".
        words = {"on": "enabled", "off": "disabled"}
        fields["enabled"] = parse_status(words.get(change.new_status, change.new_status))
    if change.new_name:
        fields["name"] = _text(change.new_name)
    if change.new_description:
        fields["description"] = _text(change.new_description)
    if change.new_expiration is not None:
        fields["expires_ns"] = parse_expiration(change.new_expiration, service.clock.now_ns())

    def edit(directory: Directory) -> None:
        old = _key_of(directory, access_key)
        directory.keys[access_key] = msgspec.structs.replace(old, **fields)

    await service.identities.change(edit)
    return empty(204)


async def admin_delete_service_account(request: Request, service: Service) -> Response:
    """Take an access key away."""
    access_key = parameter(request, "accessKey")

    def edit(directory: Directory) -> None:
        _key_of(directory, access_key)
        del directory.keys[access_key]

    await service.identities.change(edit)
    return empty(204)


async def admin_info_service_account(request: Request, service: Service) -> Response:
    """Answer one access key, without its secret."""
    access_key = parameter(request, "accessKey")
    key = _key_of(service.identities.directory(), access_key)
    return await sealed(_describe(access_key, key, service, whole=True), request, service)


async def admin_info_access_key(request: Request, service: Service) -> Response:
    """Answer one access key, and of what kind it is."""
    access_key = parameter(request, "accessKey")
    key = _key_of(service.identities.directory(), access_key)
    kind = {"userType": "Service Account", "userProvider": "builtin"}
    told = _describe(access_key, key, service, whole=True) | kind
    # In this answer alone the first letter is a capital one.
    told["AccessKey"] = told.pop("accessKey")
    return await sealed(told, request, service)


async def admin_list_service_accounts(request: Request, service: Service) -> Response:
    """Answer the access keys of one user; without a name of root."""
    owner = _owner(request.parameters.get("user", ""), service)
    return await sealed({"accounts": _listed(owner, service)}, request, service)


async def admin_list_access_keys_bulk(request: Request, service: Service) -> Response:
    """Answer the access keys of several users, or of all."""
    directory = service.identities.directory()
    names = parameters(request, "users")
    if request.parameters.get("all") == "true":
        names = [*sorted(directory.users), request.identity.access_key]
    elif not names:
        names = [request.identity.access_key]
    told = {}
    for name in names:
        owner = _owner(name, service)
        if owner != ROOT_NAME:
            user_of(directory, owner)
        wanted = request.parameters.get("listType", "all") in {"all", "svcacc-only"}
        told[name] = {"serviceAccounts": _listed(owner, service) if wanted else [], "stsKeys": []}
    return await sealed(told, request, service)


def _listed(owner: str, service: Service) -> list[dict[str, Any]]:
    keys = service.identities.directory().keys
    return [
        _describe(access_key, key, service, whole=False)
        for access_key, key in sorted(keys.items())
        if key.owner == owner
    ]


def _describe(access_key: str, key: AccessKey, service: Service, *, whole: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "accessKey": access_key,
        "parentUser": service.identities.root_access_key if key.owner == ROOT_NAME else key.owner,
        "accountStatus": status_of(key.enabled),
        "impliedPolicy": not key.policy,
        "name": key.name,
        "description": key.description,
    }
    if whole:
        told["policy"] = key.policy
    if key.expires_ns or not whole:
        # Clients expect a time in lists; the beginning of all time stands for never.
        told["expiration"] = format_iso8601(key.expires_ns)
    return told


def _owner(name: str, service: Service) -> str:
    """Return whose a key is to be: root's keys name root by its access key, or not at all."""
    return ROOT_NAME if not name or service.identities.is_fixed(name) else name


def _key_of(directory: Directory, access_key: str) -> AccessKey:
    key = directory.keys.get(access_key)
    if key is None:
        raise S3Error("XMinioAdminNoSuchAccessKey", AccessKey=access_key)
    return key


def _policy(raw: msgspec.Raw) -> str:
    """Return the policy of a key; an empty one allows what the owner may do."""
    text = bytes(raw).decode().strip()
    if text in _NO_POLICIES:
        return ""
    check_policy(text.encode())
    return text


def _text(text: str) -> str:
    if len(text) > _TEXT_LENGTH_MAX:
        raise S3Error("XMinioAdminInvalidArgument", "A name or description is too long.")
    return text
