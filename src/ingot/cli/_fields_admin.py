"""The lines of `ingot admin`, in the order of its help."""

from __future__ import annotations

from ingot.cli._fields_rows import Row

_KEY = (
    "accessKey",
    "name?",
    "description?",
    "expiration? if it ends",
)
_ABOUT_KEY = (
    *_KEY,
    "parentUser? whose it is",
    "accountStatus? `enabled` or `disabled`",
    "impliedPolicy? whether it has no policy of its own",
)
_MADE_UP = "secretKey? if it was made up"
_GROUP = ("groupName", "members? a list")

ROWS: tuple[Row, ...] = (
    Row(("admin info",), ("info as the service tells it",)),
    Row(("admin user add",), ("accessKey their name", "userStatus `enabled`", _MADE_UP)),
    Row(
        ("admin user enable", "admin user disable"),
        ("accessKey their name", "userStatus `enabled` or `disabled`"),
    ),
    Row(("admin user remove",), ("accessKey their name",)),
    Row(
        ("admin user list", "admin user info"),
        (
            "accessKey their name",
            "userStatus `enabled` or `disabled`",
            "policyName? separated by commas",
            "memberOf? a list of `name`, `policies`",
        ),
    ),
    Row(("admin group add", "admin group remove"), _GROUP),
    Row(
        ("admin group info",),
        (*_GROUP, "groupStatus `enabled` or `disabled`", "groupPolicy? separated by commas"),
    ),
    Row(("admin group list",), ("groups a list",)),
    Row(
        ("admin group enable", "admin group disable"),
        ("groupName", "groupStatus `enabled` or `disabled`"),
    ),
    Row(("admin policy create", "admin policy remove"), ("policy its name", "isGroup `false`")),
    Row(
        ("admin policy list", "admin policy info"),
        (
            "policy its name",
            "policyInfo `PolicyName`, `Policy`; `info` has `CreateDate`, `UpdateDate` too",
            "isGroup `false`",
        ),
    ),
    Row(
        ("admin policy attach",),
        ("policiesAttached a list", "user? or the next, whichever was named", "group?"),
    ),
    Row(
        ("admin policy detach",),
        ("policiesDetached a list", "user? or the next, whichever was named", "group?"),
    ),
    Row(
        ("admin policy entities",),
        ("result `timestamp`, `userMappings`, `groupMappings`, `policyMappings`",),
    ),
    Row(("admin accesskey create",), (*_KEY, _MADE_UP)),
    Row(("admin accesskey edit",), ("accessKey", _MADE_UP)),
    Row(
        ("admin accesskey list",),
        ("user", "stsKeys as the next: temporary keys", "svcaccs a list with fields of `info`"),
    ),
    Row(
        ("admin accesskey info",),
        (*_ABOUT_KEY, "policy? its own"),
    ),
    Row(
        ("admin accesskey enable", "admin accesskey disable", "admin accesskey remove"),
        ("accessKey",),
    ),
)
