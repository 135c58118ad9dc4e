"""The Python library is whole: what its public names speak of is public too."""

import importlib
import inspect
import pkgutil
import ssl
import typing
from typing import Any

import ingot.s3
import ingot.s3client

# What operations are made of: only methods that are not public speak of them.
OURS = {"Answer", "Call", "Location", "Request", "Response"}


class Mentioned:
    """Collects the classes of ours that signatures and fields speak of."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        # Some modules import for typing only.
        self._names: dict[str, Any] = {"ssl": ssl}
        for package in (ingot.s3, ingot.s3client):
            for row in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
                for name, value in vars(importlib.import_module(row.name)).items():
                    if inspect.isclass(value):
                        self._names.setdefault(name, value)

    def look(self, cls: type, where: str) -> None:
        self._all(cls, where)
        for name, member in inspect.getmembers(cls):
            function = member.fget if isinstance(member, property) else member
            if inspect.isroutine(function) and not name.startswith("_"):
                self._all(inspect.unwrap(function), f"{where}.{name}")

    def _all(self, thing: Any, where: str) -> None:
        for kind in typing.get_type_hints(thing, localns=self._names).values():
            self._one(kind, where)

    def _one(self, kind: Any, where: str) -> None:
        if isinstance(kind, list):
            for inner in kind:
                self._one(inner, where)
        elif typing.get_origin(kind) is not None:
            for inner in typing.get_args(kind):
                self._one(inner, where)
        elif inspect.isclass(kind) and kind.__module__.startswith("ingot"):
            self.found.setdefault(kind.__name__, where)


def test_all_that_public_names_speak_of_is_public() -> None:
    mentioned = Mentioned()
    for name in ingot.s3client.__all__:
        value = getattr(ingot.s3client, name)
        if inspect.isclass(value):
            mentioned.look(value, name)
    missing = {name: where for name, where in mentioned.found.items() if name not in OURS}
    assert {n: w for n, w in missing.items() if n not in ingot.s3client.__all__} == {}
