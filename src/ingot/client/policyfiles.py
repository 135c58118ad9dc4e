"""Policies that people wrote into files: read, and what a service finds wrong told with its place.

The grammar is the service's: it knows which actions and conditions it has.
"""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from ingot.base.errors import UsageError
from ingot.client.jsonplaces import Path, Place, read_places
from ingot.s3client.errors import ServiceError
from ingot.s3client.settings import POLICY_BYTES_MAX

# How services say that a policy is wrong.
_REFUSALS: Final = frozenset({"MalformedPolicy", "XMinioMalformedIAMPolicy"})
_STATEMENT: Final = "Statement"


class WrittenPolicy(NamedTuple):
    """A policy as it was written.

    Attributes:
        data: the text.
        origin: the file, for people.
        places: where its parts stand.
    """

    data: bytes
    origin: str
    places: dict[Path, Place]

    @property
    def document(self) -> dict[str, Any]:
        """What the text says."""
        found: dict[str, Any] = json.loads(self.data)
        return found

    def located(self, error: ServiceError) -> ServiceError | UsageError:
        """Return a refusal with the place it is about, if it is about the policy's text."""
        if error.code not in _REFUSALS:
            return error
        # A service that says where begins with it.
        said = error.said.strip().rstrip(".")
        if (place := self._place_of(said)) is not None:
            return UsageError(f"{self.origin}:{place.line}:{place.column}: {said}")
        return UsageError(f"{self.origin}: {said or 'the policy is refused'}")

    def _place_of(self, said: str) -> Place | None:
        """Return where the part stands that a sentence begins with: `Statement[0].Action: …`."""
        named = {self._name(path): place for path, place in self.places.items() if path}
        fitting = [name for name in named if name and said.startswith((f"{name}:", f"{name}."))]
        return named[max(fitting, key=len)] if fitting else None

    def _name(self, path: Path) -> str:
        steps = list(path)
        # One statement may stand without a list around it.
        if steps[0] == _STATEMENT and not isinstance((*steps, 0)[1], int):
            steps.insert(1, 0)
        text = ""
        for step in steps:
            text += f"[{step}]" if isinstance(step, int) else f".{step}"
        return text.removeprefix(".")


def read_policy(data: bytes, origin: str) -> WrittenPolicy:
    """Read the text of a policy.

    Raises:
        UsageError: it is none; with line and column where it can be said.
    """
    if len(data) > POLICY_BYTES_MAX:
        raise UsageError(f"{origin}: a policy has at most {POLICY_BYTES_MAX} bytes")
    places = read_places(data, origin)
    if not data.lstrip().startswith(b"{"):
        place = places[()]
        raise UsageError(f"{origin}:{place.line}:{place.column}: a policy is a JSON object")
    return WrittenPolicy(data, origin, places)
