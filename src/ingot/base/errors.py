"""Every error a user can meet descends from `Error`; each class fixes its exit code and slug."""

from __future__ import annotations

from typing import Any, ClassVar


class Error(Exception):
    """A failure a user can act on: what, where and why in the message, what to do in the hint.

    Args:
        message: one sentence that names the thing (file:line:column, bucket/key) and the reason.
        hint: what the user can do about it, best with the command to run.
    """

    exit_code: ClassVar[int] = 1
    slug: ClassVar[str] = "failed"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def cause(self) -> dict[str, Any]:
        """Return what lies beneath, as mc's JSON has it: a `message` and an `error` of fields."""
        beneath = self.__cause__
        if isinstance(beneath, Error):
            return beneath.cause()
        return {"message": str(beneath or "") or self.message, "error": {}}


class UsageError(Error):
    """The command line, a setting or an input file is wrong."""

    exit_code = 2
    slug = "usage"


class PartialError(Error):
    """Some items of a many-item operation failed; the rest was done."""

    exit_code = 3
    slug = "partial"


class DeniedError(Error):
    """Credentials are missing, wrong or do not allow the operation."""

    exit_code = 4
    slug = "denied"


class NotFoundError(Error):
    """The thing named does not exist."""

    exit_code = 5
    slug = "not-found"


class ConflictError(Error):
    """The thing exists already, is in use, or changed meanwhile."""

    exit_code = 6
    slug = "conflict"


class NetworkError(Error):
    """A peer could not be reached, or the connection broke."""

    exit_code = 7
    slug = "network"


class IntegrityError(Error):
    """Bytes do not have the digest or checksum they must have."""

    slug = "integrity"


class MissingToolError(Error):
    """A program of the host that this step needs is not installed."""

    slug = "missing-tool"
