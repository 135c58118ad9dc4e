"""Whether policies let a request through: a Deny wins, and what nobody allows is not allowed."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from ingot.iam.policies import Policy, Statement
from ingot.iam.wildcards import Context


class Decision(enum.Enum):
    """What policies say to a request."""

    ALLOW = "allow"
    DENY = "deny"
    # No statement is about it.
    SILENT = "silent"


def evaluate(
    policies: Iterable[Policy],
    *,
    action: str,
    resource: str,
    context: Context,
    principal: str | None = None,
) -> Decision:
    """Return what policies together say.

    Args:
        policies: those of the identity, of the resource, or of both.
        action: such as `s3:GetObject`.
        resource: an ARN.
        context: see `Context`.
        principal: the user's name; None for who gave no name.
    """
    decision = Decision.SILENT
    action = action.lower()
    for policy in policies:
        for statement in policy.statements:
            if not _is_about(statement, action, resource, context, principal):
                continue
            if statement.effect == "Deny":
                return Decision.DENY
            decision = Decision.ALLOW
    return decision


def _is_about(
    statement: Statement, action: str, resource: str, context: Context, principal: str | None
) -> bool:
    return (
        (statement.principals is None or statement.principals.matches(principal))
        and statement.actions.matches(action, context)
        and statement.resources.matches(resource, context)
        and all(condition.holds(context) for condition in statement.conditions)
    )
