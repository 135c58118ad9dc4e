"""Policies by name, and whom they are attached to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ingot.iam.directory import BUILT_IN, Canned, Directory, Group, User
from ingot.iam.policies import POLICY_BYTES_MAX, PolicyError, parse_identity_policy
from ingot.s3.errors import S3Error
from ingot.server.admin.exchange import (
    check_name,
    format_moment,
    parameter,
    parameters,
    read_sealed,
    sealed,
)
from ingot.server.admin.groups import group_of
from ingot.server.admin.users import user_of
from ingot.server.body import read_document
from ingot.server.request import Request
from ingot.server.response import Response, empty, json_document
from ingot.server.service import Service


class _Association(msgspec.Struct):
    """Policies for one user or group, as clients write it."""

    policies: tuple[str, ...]
    user: str = ""
    group: str = ""


async def admin_add_canned_policy(request: Request, service: Service) -> Response:
    """Keep a policy under a name, or replace it."""
    name = check_name(parameter(request, "name"))
    body = await read_document(request, size_bytes_max=POLICY_BYTES_MAX)
    check_policy(body)
    now_ns = service.clock.now_ns()

    def edit(directory: Directory) -> None:
        old = directory.policies.get(name)
        created_ns = now_ns if old is None else old.created_ns
        directory.policies[name] = Canned(body.decode(), created_ns, now_ns)

    await service.identities.change(edit)
    return empty(200)


async def admin_remove_canned_policy(request: Request, service: Service) -> Response:
    """Remove a policy that nobody has."""
    name = parameter(request, "name")

    def edit(directory: Directory) -> None:
        if name not in directory.policies:
            if name in BUILT_IN:
                raise S3Error("XMinioAdminInvalidArgument", f"The policy {name} is built in.")
            raise S3Error("XMinioAdminNoSuchPolicy", PolicyName=name)
        held = _holders(directory.users, name) or _holders(directory.groups, name)
        if name not in BUILT_IN and held:
            raise S3Error("XMinioIAMPolicyInUse")
        del directory.policies[name]

    await service.identities.change(edit)
    return empty(200)


async def admin_list_canned_policies(request: Request, service: Service) -> Response:
    """Answer all policies."""
    policies = {**BUILT_IN, **service.identities.directory().policies}
    return json_document({name: msgspec.Raw(one.text.encode()) for name, one in policies.items()})


async def admin_info_canned_policy(request: Request, service: Service) -> Response:
    """Answer one policy."""
    name = parameter(request, "name")
    canned = policy_of(service.identities.directory(), name)
    text = msgspec.Raw(canned.text.encode())
    if request.parameters.get("v") != "2":
        return json_document(text)
    told: dict[str, Any] = {"PolicyName": name, "Policy": text}
    if canned.created_ns:
        told["CreateDate"] = format_moment(canned.created_ns)
        told["UpdateDate"] = format_moment(canned.changed_ns)
    return json_document(told)


async def admin_set_user_or_group_policy(request: Request, service: Service) -> Response:
    """Replace the policies of a user or a group."""
    is_group = request.parameters.get("isGroup") == "true"
    name = parameter(request, "userOrGroup")
    # Some clients repeat the parameter, some separate the names by commas.
    given = ",".join(parameters(request, "policyName")).split(",")
    wanted = tuple(dict.fromkeys(one.strip() for one in given if one.strip()))

    def edit(directory: Directory) -> None:
        for one in wanted:
            policy_of(directory, one)
        _set(directory, name, wanted, is_group=is_group, now_ns=service.clock.now_ns())

    await service.identities.change(edit)
    return empty(200)


async def admin_attach_policy(request: Request, service: Service) -> Response:
    """Give further policies to a user or a group."""
    return await _associate(request, service, attach=True)


async def admin_detach_policy(request: Request, service: Service) -> Response:
    """Take policies from a user or a group."""
    return await _associate(request, service, attach=False)


async def admin_policy_entities(request: Request, service: Service) -> Response:
    """Answer who has which policies."""
    directory = service.identities.directory()
    users, groups = parameters(request, "user"), parameters(request, "group")
    policies = parameters(request, "policy")
    if not users and not groups and not policies:
        policies = sorted({**BUILT_IN, **directory.policies})
    told: dict[str, Any] = {"timestamp": format_moment(service.clock.now_ns())}
    if users:
        told["userMappings"] = [
            {
                "user": name,
                "policies": user_of(directory, name).policies,
                "memberOfMappings": _groups(directory, directory.groups_of(name)),
            }
            for name in users
        ]
    if groups:
        told["groupMappings"] = _groups(directory, groups)
    if policies:
        told["policyMappings"] = [
            {
                "policy": name,
                "users": _holders(directory.users, name),
                "groups": _holders(directory.groups, name),
            }
            for name in policies
        ]
    return await sealed(told, request, service)


def check_policy(data: bytes) -> None:
    """Make sure that a policy may be somebody's.

    Raises:
        S3Error: `MalformedPolicy`.
    """
    try:
        parse_identity_policy(data)
    except PolicyError as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise S3Error("MalformedPolicy", f"{error.message}{hint}.") from error


def policy_of(directory: Directory, name: str) -> Canned:
    """Return a policy.

    Raises:
        S3Error: `XMinioAdminNoSuchPolicy`.
    """
    canned = directory.policy(name)
    if canned is None:
        raise S3Error("XMinioAdminNoSuchPolicy", PolicyName=name)
    return canned


async def _associate(request: Request, service: Service, *, attach: bool) -> Response:
    wanted = await read_sealed(request, service, _Association)
    if not wanted.policies or bool(wanted.user) == bool(wanted.group):
        raise S3Error("XMinioAdminInvalidArgument", "Name policies, and one user or group.")
    name, is_group = wanted.user or wanted.group, bool(wanted.group)
    now_ns = service.clock.now_ns()
    changed: list[str] = []

    def edit(directory: Directory) -> None:
        old = (group_of if is_group else user_of)(directory, name).policies
        for one in wanted.policies:
            if attach:
                policy_of(directory, one)
        changed[:] = [one for one in dict.fromkeys(wanted.policies) if (one in old) != attach]
        if not changed:
            raise S3Error("XMinioAdminPolicyChangeAlreadyApplied")
        kept = (*old, *changed) if attach else tuple(one for one in old if one not in changed)
        _set(directory, name, kept, is_group=is_group, now_ns=now_ns)

    await service.identities.change(edit)
    told = {
        "policiesAttached" if attach else "policiesDetached": changed,
        "updatedAt": format_moment(now_ns),
    }
    return await sealed(told, request, service)


def _set(
    directory: Directory, name: str, policies: tuple[str, ...], *, is_group: bool, now_ns: int
) -> None:
    if is_group:
        group: Group = group_of(directory, name)
        directory.groups[name] = msgspec.structs.replace(
            group, policies=policies, changed_ns=now_ns
        )
    else:
        user: User = user_of(directory, name)
        directory.users[name] = msgspec.structs.replace(user, policies=policies, changed_ns=now_ns)


def _groups(directory: Directory, names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"group": name, "policies": group_of(directory, name).policies} for name in names]


def _holders(holders: dict[str, User] | dict[str, Group], policy: str) -> list[str]:
    return sorted(name for name, holder in holders.items() if policy in holder.policies)
