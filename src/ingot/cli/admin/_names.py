"""What may stand for names of users, groups, policies and access keys: those that there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ingot.cli._completion import named

if TYPE_CHECKING:
    import click

    from ingot.s3client.client import S3Client


def _users(client: S3Client, _: click.Context) -> Iterable[str]:
    return client.list_users()


def _groups(client: S3Client, _: click.Context) -> Iterable[str]:
    return client.list_groups()


def _members(client: S3Client, ctx: click.Context) -> Iterable[str]:
    return client.get_group(ctx.params.get("name") or "").members or ()


def _policies(client: S3Client, _: click.Context) -> Iterable[str]:
    return client.list_canned_policies()


def _own_keys(client: S3Client, _: click.Context) -> Iterable[str]:
    return _keys(client, temporary=False)


def _all_keys(client: S3Client, _: click.Context) -> Iterable[str]:
    return _keys(client, temporary=True)


def _keys(client: S3Client, *, temporary: bool) -> Iterable[str]:
    for keys in client.list_access_keys_bulk(everybody=True).values():
        yield from (key.access_key for key in keys.service_accounts or ())
        if temporary:
            yield from (key.access_key for key in keys.sts_keys or ())


complete_user = named(_users)
complete_group = named(_groups)
complete_member = named(_members)
complete_policy = named(_policies)
# Those that can be changed and removed; and also temporary ones.
complete_made_key = named(_own_keys)
complete_key = named(_all_keys)
