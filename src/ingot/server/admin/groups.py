"""Groups of users, who have the policies of their groups beside their own."""

from __future__ import annotations

import msgspec

from ingot.iam.directory import Directory, Group
from ingot.s3.errors import S3Error
from ingot.s3.sealed import BYTES_MAX
from ingot.server.admin.exchange import (
    check_name,
    decode,
    format_moment,
    parameter,
    parse_status,
    status_of,
)
from ingot.server.admin.users import user_of
from ingot.server.body import read_document
from ingot.server.request import Request
from ingot.server.response import Response, empty, json_document
from ingot.server.service import Service


class _Update(msgspec.Struct, rename="camel"):
    """A change of members as clients write it."""

    group: str
    members: tuple[str, ...] | None = None
    group_status: str = ""
    is_remove: bool = False


async def admin_update_group_members(request: Request, service: Service) -> Response:
    """Add members to a group, which is made if need be, or remove some; or remove the group."""
    body = await read_document(request, size_bytes_max=BYTES_MAX)
    update = decode(body, _Update)
    name = check_name(update.group, "XMinioInvalidGroupName")
    members = update.members or ()
    now_ns = service.clock.now_ns()

    def edit(directory: Directory) -> None:
        for member in members:
            user_of(directory, member)
        if update.is_remove:
            group = group_of(directory, name)
            if not members:
                if group.members:
                    raise S3Error("XMinioAdminGroupNotEmpty")
                del directory.groups[name]
                return
            kept = tuple(member for member in group.members if member not in members)
        else:
            group = directory.groups.get(name) or Group(enabled=parse_status(update.group_status))
            kept = tuple(dict.fromkeys((*group.members, *members)))
        directory.groups[name] = msgspec.structs.replace(group, members=kept, changed_ns=now_ns)

    await service.identities.change(edit)
    return empty(200)


async def admin_set_group_status(request: Request, service: Service) -> Response:
    """Let the policies of a group count, or not."""
    name, status = parameter(request, "group"), parameter(request, "status")
    now_ns = service.clock.now_ns()

    def edit(directory: Directory) -> None:
        group = group_of(directory, name)
        directory.groups[name] = msgspec.structs.replace(
            group, enabled=parse_status(status), changed_ns=now_ns
        )

    await service.identities.change(edit)
    return empty(200)


async def admin_list_groups(request: Request, service: Service) -> Response:
    """Answer the names of all groups."""
    return json_document(sorted(service.identities.directory().groups))


async def admin_get_group(request: Request, service: Service) -> Response:
    """Answer one group."""
    name = parameter(request, "group")
    group = group_of(service.identities.directory(), name)
    told = {
        "name": name,
        "status": status_of(group.enabled),
        "members": list(group.members),
        "policy": ",".join(group.policies),
    }
    updated = format_moment(group.changed_ns)
    return json_document(told if updated is None else told | {"updatedAt": updated})


def group_of(directory: Directory, name: str) -> Group:
    """Return a group.

    Raises:
        S3Error: `XMinioAdminNoSuchGroup`.
    """
    group = directory.groups.get(name)
    if group is None:
        raise S3Error("XMinioAdminNoSuchGroup", GroupName=name)
    return group
