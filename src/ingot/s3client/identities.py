"""Operations of MinIO's admin API on users, groups, policies and access keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ingot.s3client.admincaller import AdminCaller, admin_call
from ingot.s3client.call import Call
from ingot.s3client.errors import done_before

# Their library takes longer to import than most commands take otherwise.
if TYPE_CHECKING:
    from ingot.base.secret import Secret
    from ingot.s3client.identityresults import (
        AccessKeyInfo,
        AccessKeys,
        GroupInfo,
        PolicyEntities,
        PolicyInfo,
        UserInfo,
    )


class IdentityOperations(AdminCaller):
    """Methods named as the admin operations; each raises `ServiceError` or `NetworkError`.

    Those that carry secrets raise `UsageError` where there are no keys to seal them with.
    """

    def list_users(self) -> dict[str, UserInfo]:
        """Return all users by name, which is their access key."""
        from ingot.s3client.identityresults import UserInfo

        found = self._told(admin_call("GET", "list-users"), dict[str, UserInfo], sealed=True)
        return {name: found[name] for name in sorted(found)}

    def get_user_info(self, name: str) -> UserInfo:
        """Return one user."""
        from ingot.s3client.identityresults import UserInfo

        return self._told(_about_key("GET", "user-info", name), UserInfo)

    def add_user(self, name: str, secret: Secret) -> None:
        """Add a user, or give one another secret key; they are enabled then."""
        body = self._sealed({"secretKey": secret.reveal(), "status": "enabled"})
        self.finish(_about_key("PUT", "add-user", name, data=body))

    def remove_user(self, name: str) -> None:
        """Remove a user, with their access keys."""
        with done_before("XMinioAdminNoSuchUser"):
            self.finish(_about_key("DELETE", "remove-user", name))

    def set_user_status(self, name: str, *, enabled: bool) -> None:
        """Let a user sign, or not."""
        query = [("accessKey", name), ("status", _status(enabled))]
        self.finish(admin_call("PUT", "set-user-status", name, query=query))

    def list_groups(self) -> list[str]:
        """Return the names of all groups."""
        return sorted(self._told(admin_call("GET", "groups"), list[str] | None) or ())  # type: ignore[arg-type] # a union is no class

    def get_group(self, name: str) -> GroupInfo:
        """Return one group."""
        from ingot.s3client.identityresults import GroupInfo

        return self._told(admin_call("GET", "group", name, query=[("group", name)]), GroupInfo)

    def update_group_members(
        self, name: str, members: Sequence[str], *, remove: bool = False
    ) -> None:
        """Add members to a group, which is made if need be, or remove some.

        Args:
            name: of the group.
            members: names of users; to remove none is to remove the group, which must be empty.
            remove: them.
        """
        import msgspec

        wanted = {"group": name, "members": [*members], "isRemove": remove}
        data = msgspec.json.encode({**wanted, "groupStatus": "enabled"})
        # To remove members once more is no failure; a group is gone then.
        with done_before(*(("XMinioAdminNoSuchGroup",) if remove and not members else ())):
            self.finish(admin_call("PUT", "update-group-members", name, data=data))

    def set_group_status(self, name: str, *, enabled: bool) -> None:
        """Let the policies of a group count, or not."""
        query = [("group", name), ("status", _status(enabled))]
        self.finish(admin_call("PUT", "set-group-status", name, query=query))

    def list_canned_policies(self) -> dict[str, Any]:
        """Return all policies by name."""
        found = self._told(admin_call("GET", "list-canned-policies"), dict[str, Any])
        return {name: found[name] for name in sorted(found)}

    def info_canned_policy(self, name: str) -> PolicyInfo:
        """Return one policy."""
        from ingot.s3client.identityresults import PolicyInfo

        query = [("name", name), ("v", "2")]
        return self._told(admin_call("GET", "info-canned-policy", name, query=query), PolicyInfo)

    def add_canned_policy(self, name: str, data: bytes) -> None:
        """Keep a policy, which is JSON, under a name, or replace it."""
        query = [("name", name)]
        self.finish(admin_call("PUT", "add-canned-policy", name, query=query, data=data))

    def remove_canned_policy(self, name: str) -> None:
        """Remove a policy that nobody has."""
        call = admin_call("DELETE", "remove-canned-policy", name, query=[("name", name)])
        with done_before("XMinioAdminNoSuchPolicy"):
            self.finish(call)

    def attach_policy(
        self, policies: Sequence[str], *, user: str = "", group: str = ""
    ) -> list[str]:
        """Give policies to one user or group; return those that they did not have."""
        return self._associate("attach", policies, user, group)

    def detach_policy(
        self, policies: Sequence[str], *, user: str = "", group: str = ""
    ) -> list[str]:
        """Take policies from one user or group; return those that they had."""
        return self._associate("detach", policies, user, group)

    def policy_entities(
        self,
        *,
        users: Sequence[str] = (),
        groups: Sequence[str] = (),
        policies: Sequence[str] = (),
    ) -> PolicyEntities:
        """Return who has which policies, of those that are named; without any, who has each."""
        from ingot.s3client.identityresults import PolicyEntities

        named = (("user", users), ("group", groups), ("policy", policies))
        query = [(kind, name) for kind, names in named for name in names]
        call = admin_call("GET", "idp/builtin/policy-entities", query=query)
        return self._told(call, PolicyEntities, sealed=True)

    def add_service_account(self, access_key: str, secret: Secret, **wanted: Any) -> None:
        """Make an access key.

        Args:
            access_key: that nobody has.
            secret: what belongs to it.
            wanted: fields of the API: `targetUser`, `policy`, `name`, `description`, `expiration`.
        """
        keys = {"accessKey": access_key, "secretKey": secret.reveal()}
        body = self._sealed({**wanted, **keys})
        self.finish(admin_call("PUT", "add-service-account", access_key, data=body))

    def update_service_account(self, access_key: str, **change: Any) -> None:
        """Change an access key; what is not said stays, or not, as the service has it.

        Args:
            access_key: which one.
            change: fields of the API: `newPolicy`, `newSecretKey`, `newStatus` and so on.
        """
        body = self._sealed(change)
        self.finish(_about_key("POST", "update-service-account", access_key, data=body))

    def delete_service_account(self, access_key: str) -> None:
        """Take an access key away."""
        # MinIO has no word of its own for a key that is not there.
        with done_before("XMinioAdminNoSuchAccessKey", "XMinioInvalidIAMCredentials"):
            self.finish(_about_key("DELETE", "delete-service-account", access_key))

    def info_service_account(self, access_key: str) -> AccessKeyInfo:
        """Return one access key, without its secret."""
        from ingot.s3client.identityresults import AccessKeyInfo

        call = _about_key("GET", "info-service-account", access_key)
        return self._told(call, AccessKeyInfo, sealed=True)

    def list_access_keys_bulk(
        self, users: Sequence[str] = (), *, everybody: bool = False, kind: str = "all"
    ) -> dict[str, AccessKeys]:
        """Return the access keys of users; without names, our own.

        Args:
            users: whose.
            everybody: those of all users.
            kind: `all`, `users-only`, `sts-only` or `svcacc-only`.
        """
        from ingot.s3client.identityresults import AccessKeys

        query = [("listType", kind), *(("users", name) for name in users)]
        if everybody:
            query.append(("all", "true"))
        call = admin_call("GET", "list-access-keys-bulk", query=query)
        found = self._told(call, dict[str, AccessKeys], sealed=True)
        return {name: found[name] for name in sorted(found)}

    def _associate(self, how: str, policies: Sequence[str], user: str, group: str) -> list[str]:
        from ingot.s3client.identityresults import Association

        holder = {"user": user} if user else {"group": group}
        body = self._sealed({"policies": [*policies], **holder})
        call = admin_call("POST", f"idp/builtin/policy/{how}", user or group, data=body)
        return self._told(call, Association, sealed=True).policies


def _about_key(method: str, operation: str, name: str, *, data: bytes = b"") -> Call:
    return admin_call(method, operation, name, query=[("accessKey", name)], data=data)


def _status(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"
