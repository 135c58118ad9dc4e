"""Patterns of policies: `*`, `?` and variables such as `${aws:username}`, matched in bounded time.

Source: AWS IAM user guide, "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

# Request values by lower-case condition key; keys that have no value are absent.
Context = Mapping[str, Sequence[str]]

_VARIABLE: Final = re.compile(r"\$\{([^{}]*)\}")
_DEFAULTED: Final = re.compile(r"([^,]+?)\s*,\s*'([^']*)'\s*")
_LITERALS: Final = frozenset("*?$")


class _Variable(NamedTuple):
    key: str
    default: str | None


class _Any(NamedTuple):
    """Matches any text, also none."""


class _One(NamedTuple):
    """Matches one character."""


_ANY: Final = _Any()
_ONE: Final = _One()
_Token = str | _Variable | _Any | _One


class Pattern:
    """One pattern, read once.

    Args:
        text: as the policy has it.
        variables: whether `${…}` is a variable (policies of 2012) or text (of 2008).

    Raises:
        ValueError: a variable has no name.
    """

    __slots__ = ("_plain", "_tokens", "text")

    def __init__(self, text: str, *, variables: bool = True) -> None:
        self.text = text
        self._tokens = tuple(_tokens(text, variables=variables))
        # Most patterns are text, or a text and a star.
        self._plain = all(isinstance(token, str) for token in self._tokens)

    def matches(self, value: str, context: Context) -> bool:
        """Tell whether a value is of this form; what a variable stands for is no pattern."""
        if self._plain:
            return value == "".join(token for token in self._tokens if isinstance(token, str))
        pieces = _expand(self._tokens, context)
        return pieces is not None and _matches(pieces, value)

    def literal(self, context: Context) -> str | None:
        """Return the text with its variables filled in and no wildcards; None if one has no value.

        String conditions compare with this.
        """
        parts: list[str] = []
        for token in self._tokens:
            if isinstance(token, str):
                parts.append(token)
            elif isinstance(token, _Variable):
                value = _value(token, context)
                if value is None:
                    return None
                parts.append(value)
            else:
                parts.append("*" if isinstance(token, _Any) else "?")
        return "".join(parts)


def _tokens(text: str, *, variables: bool) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    for match in _VARIABLE.finditer(text) if variables else ():
        tokens += _wild(text[position : match.start()])
        name = match[1].strip()
        if not name:
            raise ValueError("a variable has no name")
        if name in _LITERALS:
            tokens.append(name)
        elif (defaulted := _DEFAULTED.fullmatch(name)) is not None:
            tokens.append(_Variable(defaulted[1].lower(), defaulted[2]))
        else:
            tokens.append(_Variable(name.lower(), None))
        position = match.end()
    return tokens + _wild(text[position:])


def _wild(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    for piece in re.split(r"([*?])", text):
        if piece == "*":
            tokens.append(_ANY)
        elif piece == "?":
            tokens.append(_ONE)
        elif piece:
            tokens.append(piece)
    return tokens


def _value(variable: _Variable, context: Context) -> str | None:
    values = context.get(variable.key, ())
    # A variable stands for one value; of a key with several there is none.
    return values[0] if len(values) == 1 else variable.default


def _expand(tokens: Sequence[_Token], context: Context) -> list[str | _Any | _One] | None:
    """Return single characters and wildcards; None if a variable has no value."""
    pieces: list[str | _Any | _One] = []
    for token in tokens:
        if isinstance(token, _Variable):
            value = _value(token, context)
            if value is None:
                return None
            pieces += value
        elif isinstance(token, str):
            pieces += token
        else:
            pieces.append(token)
    return pieces


def _matches(pieces: Sequence[str | _Any | _One], value: str) -> bool:
    """Match without recursion: at worst the product of both lengths (Kirk Krauss, 2008)."""
    at = index = 0
    star, resume = -1, 0
    while at < len(value):
        piece = pieces[index] if index < len(pieces) else None
        if isinstance(piece, _Any):
            star, resume = index, at
            index += 1
        elif isinstance(piece, _One) or piece == value[at]:
            at += 1
            index += 1
        elif star >= 0:
            resume += 1
            at, index = resume, star + 1
        else:
            return False
    return all(isinstance(piece, _Any) for piece in pieces[index:])
