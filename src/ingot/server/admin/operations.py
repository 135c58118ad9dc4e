"""The table of admin operations: which request is which, and what it asks permission for.

A row has one handler function of the same snake_case name in its family's file; a tidy test pairs
them. Everything else under the prefix is answered 501 NotImplemented.
"""

from __future__ import annotations

from typing import Final

from ingot.s3.errors import S3Error
from ingot.s3.operations import Operation

PREFIX: Final = b"/minio/admin/"
_VERSION: Final = "v3/"
# About identities: no policy gives them away, so that nobody can become more than they are.
ROOT_FAMILIES: Final = frozenset({"users", "groups", "policies", "keys"})


def _row(name: str, action: str, family: str) -> Operation:
    return Operation(name, "", "service", frozenset(), None, f"admin:{action}", family)


# By method and what is behind `/minio/admin/v3/`.
OPERATIONS: Final[dict[tuple[str, str], Operation]] = {
    ("PUT", "set-bucket-quota"): _row("AdminSetBucketQuota", "SetBucketQuota", "quota"),
    ("GET", "get-bucket-quota"): _row("AdminGetBucketQuota", "GetBucketQuota", "quota"),
    ("GET", "info"): _row("AdminServerInfo", "ServerInfo", "info"),
    ("GET", "datausageinfo"): _row("AdminDataUsageInfo", "DataUsageInfo", "info"),
    ("GET", "accountinfo"): _row("AdminAccountInfo", "AccountInfo", "info"),
    ("PUT", "add-user"): _row("AdminAddUser", "CreateUser", "users"),
    ("DELETE", "remove-user"): _row("AdminRemoveUser", "DeleteUser", "users"),
    ("PUT", "set-user-status"): _row("AdminSetUserStatus", "EnableUser", "users"),
    ("GET", "list-users"): _row("AdminListUsers", "ListUsers", "users"),
    ("GET", "user-info"): _row("AdminGetUserInfo", "GetUser", "users"),
    ("PUT", "update-group-members"): _row("AdminUpdateGroupMembers", "AddUserToGroup", "groups"),
    ("PUT", "set-group-status"): _row("AdminSetGroupStatus", "EnableGroup", "groups"),
    ("GET", "groups"): _row("AdminListGroups", "ListGroups", "groups"),
    ("GET", "group"): _row("AdminGetGroup", "GetGroup", "groups"),
    ("PUT", "add-canned-policy"): _row("AdminAddCannedPolicy", "CreatePolicy", "policies"),
    ("DELETE", "remove-canned-policy"): _row("AdminRemoveCannedPolicy", "DeletePolicy", "policies"),
    ("GET", "list-canned-policies"): _row(
        "AdminListCannedPolicies", "ListUserPolicies", "policies"
    ),
    ("GET", "info-canned-policy"): _row("AdminInfoCannedPolicy", "GetPolicy", "policies"),
    ("PUT", "set-user-or-group-policy"): _row(
        "AdminSetUserOrGroupPolicy", "AttachUserOrGroupPolicy", "policies"
    ),
    ("POST", "idp/builtin/policy/attach"): _row(
        "AdminAttachPolicy", "UpdatePolicyAssociation", "policies"
    ),
    ("POST", "idp/builtin/policy/detach"): _row(
        "AdminDetachPolicy", "UpdatePolicyAssociation", "policies"
    ),
    ("GET", "idp/builtin/policy-entities"): _row("AdminPolicyEntities", "ListGroups", "policies"),
    ("PUT", "add-service-account"): _row("AdminAddServiceAccount", "CreateServiceAccount", "keys"),
    ("POST", "update-service-account"): _row(
        "AdminUpdateServiceAccount", "UpdateServiceAccount", "keys"
    ),
    ("DELETE", "delete-service-account"): _row(
        "AdminDeleteServiceAccount", "RemoveServiceAccount", "keys"
    ),
    ("GET", "info-service-account"): _row("AdminInfoServiceAccount", "ListServiceAccounts", "keys"),
    ("GET", "info-access-key"): _row("AdminInfoAccessKey", "ListServiceAccounts", "keys"),
    ("GET", "list-service-accounts"): _row(
        "AdminListServiceAccounts", "ListServiceAccounts", "keys"
    ),
    ("GET", "list-access-keys-bulk"): _row(
        "AdminListAccessKeysBulk", "ListServiceAccounts", "keys"
    ),
}


def match(method: str, raw_path: bytes) -> Operation:
    """Return the operation that a request is for.

    Raises:
        S3Error: `NotImplemented`.
    """
    path = raw_path[len(PREFIX) :].decode("latin-1")
    operation = OPERATIONS.get((method, path.removeprefix(_VERSION)))
    if operation is None or not path.startswith(_VERSION):
        raise S3Error("NotImplemented", f"The admin operation {method} {path} is not implemented.")
    return operation
