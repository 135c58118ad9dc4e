"""Write the reference of the Python library from its signatures and docstrings."""

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

INTRODUCTION = """\
What `ingot.s3client` exports, from its signatures and docstrings.
[How it is used](python-library.md) is a page of its own."""
# What operations are made of; other classes have nothing that a program should call.
_OURS = {
    "Endpoint": {"in_region", "locate"},
    "S3Client": {
        *("algorithm", "answered", "asked", "finish", "frames", "parsed", "presign"),
        *("send", "stored"),
    },
    "Transport": {"pauses", "send"},
    "TransportOptions": {"resolved"},
    "TlsOptions": {"context"},
    "Attributes": {"headers"},
    "WriteConditions": {"headers"},
    "CopySource": {"headers"},
    "Backoff": {"delays_s"},
}
_NO_MEMBERS_OF = (Exception, tuple)
_LINE_LENGTH = 80
_SECTION = re.compile(r"(Args|Attributes|Raises|Returns):")


def names() -> list[str]:
    """Return all public names in the order of `__all__`."""
    import ingot.s3client

    return list(ingot.s3client.__all__)


def methods(name: str) -> list[str]:
    """Return the public methods and properties of a public class, by name."""
    import ingot.s3client

    cls = getattr(ingot.s3client, name)
    if not inspect.isclass(cls):
        return []
    inherited = {found for base in _NO_MEMBERS_OF if issubclass(cls, base) for found in dir(base)}
    fields = set(getattr(cls, "_fields", ()))
    if dataclasses.is_dataclass(cls):
        fields |= {row.name for row in dataclasses.fields(cls)}
    return [
        found
        for found, member in inspect.getmembers(cls)
        if not found.startswith("_")
        and found not in inherited | fields | _OURS.get(name, set())
        and (callable(member) or isinstance(member, property))
    ]


def page(generated: str) -> str:
    """Return the page."""
    lines = ["# The Python library: all names", "", generated, "", INTRODUCTION, ""]
    for name in names():
        lines += _entry(name)
    return "\n".join(lines)


def _entry(name: str) -> Iterator[str]:
    import ingot.s3client

    value: Any = getattr(ingot.s3client, name)
    yield f"## {name}"
    yield ""
    is_plain = inspect.isclass(value) and not issubclass(value, Exception)
    if not getattr(value, "_is_protocol", False) and (is_plain or not inspect.isclass(value)):
        yield from ("```python", f"{name}{_signature(value)}", "```", "")
    elif issubclass(value, Exception):
        bases = ", ".join(f"`{base.__name__}`" for base in value.__bases__)
        yield from (f"Kind of {bases}.", "")
    if name == "S3Client":
        # Its arguments are those of its base, which is ours.
        from ingot.s3client.caller import Caller

        yield from ("A client of one S3 service, with all its operations.", "")
        yield from _documented(Caller)
    else:
        yield from _documented(value)
    for found in methods(name):
        member = inspect.getattr_static(value, found)
        yield f"### {name}.{found}"
        yield ""
        if isinstance(member, property):
            kind = member.fget.__annotations__.get("return", "") if member.fget else ""
            yield from ("```python", f"{found}: {kind}", "```", "")
        else:
            yield from ("```python", f"{found}{_signature(getattr(value, found))}", "```", "")
        yield from _documented(getattr(value, found))


def _signature(value: Any) -> str:
    signature = inspect.signature(value)
    pieces = []
    keywords_only = False
    for row in signature.parameters.values():
        if row.name == "self":
            continue
        if row.kind is row.KEYWORD_ONLY and not keywords_only:
            keywords_only = True
            pieces.append("*")
        kind = row.annotation
        if not isinstance(kind, str):
            named = kind.__name__ if isinstance(kind, type) else str(kind)
            kind = getattr(kind, "__forward_arg__", named)
        text = f"{row.name}: {kind}"
        pieces.append(text if row.default is row.empty else f"{text} = {_default(row.default)}")
    returned = "" if inspect.isclass(value) else f" -> {signature.return_annotation}"
    joined = f"({', '.join(pieces)}){returned}"
    if len(joined) <= _LINE_LENGTH:
        return joined
    rows = "".join(f"    {piece},\n" for piece in pieces)
    return f"(\n{rows}){returned}"


def _default(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple) and hasattr(value, "_fields") and not any(value):
        return f"{type(value).__name__}()"
    # Factories and functions have an address, which is neither stable nor of use.
    return "..." if repr(value).startswith("<") else repr(value)


def _documented(value: Any) -> Iterator[str]:
    text = inspect.getdoc(value)
    assert text, value
    in_section = False
    for line in text.splitlines():
        if _SECTION.fullmatch(line):
            in_section = True
            yield from (f"{line}", "")
        elif in_section and line.startswith("    ") and not line.startswith("     "):
            name, colon, said = line.strip().partition(": ")
            yield f"- `{name}`: {said}" if colon else f"- {line.strip()}"
        elif in_section and line.startswith("     "):
            yield f"  {line.strip()}"
        else:
            in_section = in_section and not line
            yield line
    yield ""
