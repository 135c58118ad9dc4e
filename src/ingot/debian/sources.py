"""Where Debian packages come from: the host's apt configuration, or what the user names.

Formats: sources.list(5) one-line and deb822 style, apt.conf(5) as `apt-config dump` prints it.
"""

from __future__ import annotations

import glob
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ingot.base.errors import Error

DEFAULT_SUITE = "bookworm"
DEFAULT_COMPONENTS = ("main",)
DEFAULT_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

_SCHEMES = ("http://", "https://", "file:")
# Suites of one release: `bookworm`, `bookworm-updates`, `bookworm-security`, `bullseye/updates`.
_SUITE = re.compile(r"([a-z]+)((?:-updates|-security|/updates)?)")
_ONE_LINE = re.compile(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)\s*(?:#.*)?")
_SETTING = re.compile(r'([^\s"]+) "(.*)";')


class SourcesError(Error):
    """No usable package source is configured."""

    slug = "sources"


@dataclass(frozen=True, slots=True)
class Source:
    """One suite of one archive.

    Attributes:
        uri: base URI without a trailing slash.
        keyrings: files with the public keys that may sign it, binary or ASCII-armoured.
        key_text: an ASCII-armoured key written into the source itself.
        only_debian: skip the archive unless its Release file says that Debian made it.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    keyrings: tuple[Path, ...] = ()
    key_text: str = ""
    only_debian: bool = True


@dataclass(frozen=True, slots=True)
class AptSettings:
    """What of apt.conf(5) matters to reading an archive.

    Attributes:
        values: settings by lower-case name, as `Acquire::Check-Valid-Until` is spelled there.
    """

    values: Mapping[str, str]

    @property
    def check_valid_until(self) -> bool:
        """Whether an index past its Valid-Until is refused."""
        return _truth(self.values.get("acquire::check-valid-until", "true"))

    def proxy(self, scheme: str, host: str) -> str | None:
        """Return the proxy for a URI: "" for none by decree, None where nothing is configured."""
        for name in (f"acquire::{scheme}::proxy::{host}", f"acquire::{scheme}::proxy"):
            value = self.values.get(name)
            if value:
                return "" if value.upper() == "DIRECT" else value
        return None

    def path(self, name: str, default: str) -> Path:
        """Return a file or folder of `Dir::Etc`, absolute."""
        base = Path(self.values.get("dir") or "/")
        etc = base / (self.values.get("dir::etc") or "etc/apt")
        return etc / (self.values.get(name) or default)


def read_settings(run: Callable[[], str] | None = None) -> AptSettings:
    """Read the host's apt settings; empty where apt is not installed.

    Args:
        run: returns the text of `apt-config dump`; the host's own unless given.
    """
    text = (run or _apt_config_dump)()
    matches = (_SETTING.fullmatch(line.strip()) for line in text.splitlines())
    return AptSettings({match[1].lower(): match[2] for match in matches if match})


def host_sources(settings: AptSettings, suite: str) -> list[Source]:
    """Return the host's sources for release `suite`, in apt's order, without repeats.

    A host of another release names mirrors that carry ours too: then its suites are translated
    (`trixie-security` stands for `bookworm-security`).

    Raises:
        SourcesError: nothing usable is configured.
    """
    configured = [
        source
        for source in _configured(settings)
        if source.uri.startswith(_SCHEMES) and source.suite != "sid"
    ]
    direct = [source for source in configured if _release(source.suite) == suite]
    translated = (_translated(source, suite) for source in configured)
    usable = list(dict.fromkeys(direct or (source for source in translated if source)))
    if not usable:
        raise SourcesError(
            f"apt has no package source that can carry {suite}",
            hint="name one: --mirror URI --suite NAME --keyring FILE",
        )
    return usable


def explicit_sources(
    mirror: str, suite: str, components: tuple[str, ...], keyring: Path
) -> list[Source]:
    """Return the one source the user named."""
    return [Source(mirror.rstrip("/"), suite, components, (keyring,), only_debian=False)]


def parse_one_line(text: str, trusted: tuple[Path, ...]) -> Iterator[Source]:
    """Yield the `deb` lines of a sources.list file."""
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.strip())
        if match is None:
            continue
        options, uri, suite, components = match.groups()
        pairs = (option.partition("=") for option in (options or "").split())
        signed_by = next((value for key, _, value in pairs if key == "signed-by"), "")
        keyrings = _keyrings(signed_by) or trusted
        yield Source(uri.rstrip("/"), suite, tuple(components.split()), keyrings)


def parse_deb822(text: str, trusted: tuple[Path, ...]) -> Iterator[Source]:
    """Yield the sources of a deb822-style .sources file."""
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields = _deb822_fields(stanza)
        types = fields.get("types", "").split()
        if "deb" not in types or not _truth(fields.get("enabled", "yes")):
            continue
        signed_by = fields.get("signed-by", "")
        key_text = _key_text(signed_by) if "BEGIN PGP" in signed_by else ""
        keyrings = () if key_text else _keyrings(signed_by) or trusted
        components = tuple(fields.get("components", "").split())
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri.rstrip("/"), suite, components, keyrings, key_text)


def _configured(settings: AptSettings) -> Iterator[Source]:
    trusted = _trusted(settings)
    main = settings.path("dir::etc::sourcelist", "sources.list")
    parts = settings.path("dir::etc::sourceparts", "sources.list.d")
    for file in (main, *sorted(Path(name) for name in glob.glob(f"{parts}/*"))):
        if file.suffix not in {".list", ".sources"} or not file.is_file():
            continue
        parse = parse_one_line if file.suffix == ".list" else parse_deb822
        # A flat repository (suite ends in a slash) has no components and is never Debian's own.
        for source in parse(file.read_text(encoding="utf-8", errors="replace"), trusted):
            if source.components and not source.suite.endswith("/"):
                yield source


def _trusted(settings: AptSettings) -> tuple[Path, ...]:
    single = settings.path("dir::etc::trusted", "trusted.gpg")
    folder = settings.path("dir::etc::trustedparts", "trusted.gpg.d")
    parts = [Path(name) for name in sorted(glob.glob(f"{folder}/*"))]
    return tuple(
        path for path in (single, *parts) if path.suffix in {".gpg", ".asc"} and path.is_file()
    )


def _keyrings(signed_by: str) -> tuple[Path, ...]:
    """Return the files a Signed-By names; fingerprints select among trusted keys and name none."""
    words = re.split(r"[\s,]+", signed_by.strip())
    return tuple(Path(word) for word in words if word.startswith("/"))


def _deb822_fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in {" ", "\t"}:
            if name:
                fields[name] += "\n" + line.strip()
            continue
        name, _, value = line.partition(":")
        name = name.strip().lower()
        fields[name] = value.strip()
    return fields


def _key_text(field: str) -> str:
    """Undo the escape of an embedded key: a lone dot stands for an empty line."""
    lines = field.strip().splitlines()
    return "\n".join("" if line == "." else line for line in lines) + "\n"


def _release(suite: str) -> str:
    match = _SUITE.fullmatch(suite)
    return match[1] if match else ""


def _translated(source: Source, suite: str) -> Source | None:
    match = _SUITE.fullmatch(source.suite)
    return replace(source, suite=suite + match[2]) if match else None


def _truth(value: str) -> bool:
    return value.strip().lower() not in {"no", "false", "without", "off", "disable", "0"}


def _apt_config_dump() -> str:
    program = shutil.which("apt-config")
    if program is None:
        return ""
    done = subprocess.run([program, "dump"], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
