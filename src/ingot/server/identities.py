"""Who signs: the root keys, and everybody whom the store keeps, as it is now in every worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ingot.base.clock import Clock
from ingot.iam.directory import Directory, dump, load
from ingot.iam.identities import Identities, Identity
from ingot.store.registry import Registry


class StoredIdentities(Identities):
    """The identities of a server; looking one up sees each change that was acknowledged before.

    Args:
        fixed: those that are not stored: root's.
        registry: where the others are.
        clock: says which keys have expired.

    Attributes:
        root_access_key: of the root keys.
    """

    def __init__(self, fixed: Iterable[Identity], registry: Registry, clock: Clock) -> None:
        fixed = [*fixed]
        super().__init__(fixed)
        self.root_access_key = next((one.access_key for one in fixed if one.is_root), "")
        self._registry = registry
        self._clock = clock
        self._revision: bytes = b""
        self._directory = Directory()
        self._known: dict[str, Identity | None] = {}

    def find(self, access_key: str) -> Identity | None:
        """Return the identity an access key belongs to, or None."""
        fixed = super().find(access_key)
        if fixed is not None:
            return fixed
        directory = self.directory()
        if access_key not in directory.users and access_key not in directory.keys:
            return None
        if access_key not in self._known:
            self._known[access_key] = directory.identity(access_key)
        key = directory.keys.get(access_key)
        if key is not None and 0 < key.expires_ns <= self._clock.now_ns():
            return None
        return self._known[access_key]

    def is_fixed(self, access_key: str) -> bool:
        """Tell whether a key is one that cannot be given to anybody else."""
        return super().find(access_key) is not None

    def directory(self) -> Directory:
        """Return everybody as they are now; only to be read."""
        if self._registry.revision() != self._revision:
            revision, documents = self._registry.read()
            # In this order: what cannot be read must not leave the old one in force.
            self._directory = load(documents)
            self._known = {}
            self._revision = revision
        return self._directory

    async def change(self, edit: Callable[[Directory], None]) -> None:
        """Change the directory; `edit` may be called again.

        Raises:
            Exception: what `edit` raised; nothing was changed.
        """

        def step(documents: Mapping[str, bytes]) -> Mapping[str, bytes]:
            directory = load(documents)
            edit(directory)
            return dump(directory)

        await self._registry.change(step)
