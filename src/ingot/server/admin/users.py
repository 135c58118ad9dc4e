"""Users: somebody with a name, which is their access key, and a secret key."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ingot.iam.directory import ROOT_NAME, Directory, User
from ingot.s3.errors import S3Error
from ingot.server.admin.exchange import (
    check_name,
    format_moment,
    parameter,
    parse_status,
    read_sealed,
    sealed,
    status_of,
)
from ingot.server.request import Request
from ingot.server.response import Response, empty, json_document
from ingot.server.service import Service

_ACCESS_KEY_LENGTH_MIN: Final = 3
_SECRET_KEY_LENGTHS: Final = range(8, 129)


class _Wanted(msgspec.Struct, rename="camel"):
    """A user as clients write one."""

    secret_key: str = ""
    status: str = ""
    policy: str = ""


async def admin_add_user(request: Request, service: Service) -> Response:
    """Add a user, or give one another secret key."""
    name = check_access_key(parameter(request, "accessKey"), service)
    wanted = await read_sealed(request, service, _Wanted)
    check_secret_key(wanted.secret_key)
    if wanted.policy:
        raise S3Error("NotImplemented", "Attach policies by an operation of their own.")
    now_ns = service.clock.now_ns()

    def edit(directory: Directory) -> None:
        if name in directory.keys:
            raise S3Error("XMinioAdminInvalidAccessKey", "It is the access key of somebody else.")
        old = directory.users.get(name) or User("")
        directory.users[name] = msgspec.structs.replace(
            old,
            secret_key=wanted.secret_key,
            enabled=parse_status(wanted.status),
            changed_ns=now_ns,
        )

    await service.identities.change(edit)
    return empty(200)


async def admin_remove_user(request: Request, service: Service) -> Response:
    """Remove a user, with their access keys."""
    name = parameter(request, "accessKey")

    def edit(directory: Directory) -> None:
        user_of(directory, name)
        directory.remove_user(name)

    await service.identities.change(edit)
    return empty(200)


async def admin_set_user_status(request: Request, service: Service) -> Response:
    """Let a user sign, or not."""
    name, status = parameter(request, "accessKey"), parameter(request, "status")
    now_ns = service.clock.now_ns()

    def edit(directory: Directory) -> None:
        user = user_of(directory, name)
        directory.users[name] = msgspec.structs.replace(
            user, enabled=parse_status(status), changed_ns=now_ns
        )

    await service.identities.change(edit)
    return empty(200)


async def admin_list_users(request: Request, service: Service) -> Response:
    """Answer all users."""
    directory = service.identities.directory()
    told = {name: _describe(directory, name, user) for name, user in directory.users.items()}
    return await sealed(told, request, service)


async def admin_get_user_info(request: Request, service: Service) -> Response:
    """Answer one user."""
    directory = service.identities.directory()
    name = parameter(request, "accessKey")
    return json_document(_describe(directory, name, user_of(directory, name)))


def user_of(directory: Directory, name: str) -> User:
    """Return a user.

    Raises:
        S3Error: `XMinioAdminNoSuchUser`.
    """
    user = directory.users.get(name)
    if user is None:
        raise S3Error("XMinioAdminNoSuchUser", UserName=name)
    return user


def check_access_key(name: str, service: Service) -> str:
    """Return an access key if it may be given to somebody.

    Raises:
        S3Error: `XMinioAdminInvalidAccessKey`, `XMinioInvalidIAMCredentials`.
    """
    if service.identities.is_fixed(name) or name == ROOT_NAME:
        raise S3Error("XMinioInvalidIAMCredentials")
    if len(name) < _ACCESS_KEY_LENGTH_MIN:
        raise S3Error("XMinioAdminInvalidAccessKey")
    return check_name(name, "XMinioAdminInvalidAccessKey")


def check_secret_key(secret_key: str) -> None:
    """Make sure that a secret key may be one.

    Raises:
        S3Error: `XMinioAdminInvalidSecretKey`.
    """
    if len(secret_key) not in _SECRET_KEY_LENGTHS:
        raise S3Error("XMinioAdminInvalidSecretKey", "A secret key has 8 to 128 characters.")


def _describe(directory: Directory, name: str, user: User) -> dict[str, Any]:
    told: dict[str, Any] = {
        "status": status_of(user.enabled),
        "policyName": ",".join(user.policies),
        "memberOf": directory.groups_of(name),
        "userAuthInfo": {"type": "builtin"},
    }
    updated = format_moment(user.changed_ns)
    return told if updated is None else told | {"updatedAt": updated}
