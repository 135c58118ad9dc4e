"""Package sources come from apt's configuration in all its spellings."""

from pathlib import Path

import pytest

from ingot.debian.sources import (
    AptSettings,
    Source,
    SourcesError,
    explicit_sources,
    host_sources,
    parse_deb822,
    parse_one_line,
    read_settings,
)

TRUSTED = (Path("/etc/apt/trusted.gpg"),)
KEY = Path("/usr/share/keyrings/k.gpg")


def test_one_line_style() -> None:
    text = """
# deb http://no.example/debian bookworm main
deb http://a.example/debian/ bookworm main contrib # comment
deb [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] https://b.example/x bookworm-security main
deb-src http://a.example/debian bookworm main
nonsense
"""
    assert list(parse_one_line(text, TRUSTED)) == [
        Source("http://a.example/debian", "bookworm", ("main", "contrib"), TRUSTED),
        Source("https://b.example/x", "bookworm-security", ("main",), (KEY,)),
    ]


def test_deb822_style() -> None:
    text = """
# comment
Types: deb deb-src
URIs: http://a.example/debian http://b.example/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/k.gpg

Types: deb
Enabled: no
URIs: http://c.example
Suites: bookworm
Components: main

Types: deb-src
URIs: http://d.example
Suites: bookworm
Components: main
"""
    found = [(source.uri, source.suite) for source in parse_deb822(text, TRUSTED)]
    assert found == [
        ("http://a.example/debian", "bookworm"),
        ("http://a.example/debian", "bookworm-updates"),
        ("http://b.example/debian", "bookworm"),
        ("http://b.example/debian", "bookworm-updates"),
    ]
    assert {source.keyrings for source in parse_deb822(text, TRUSTED)} == {(KEY,)}


def test_an_embedded_key_is_unescaped() -> None:
    text = (
        "Types: deb\nURIs: http://a.example\nSuites: bookworm\nComponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDME\n"
        " -----END PGP PUBLIC KEY BLOCK-----\n"
    )
    (source,) = parse_deb822(text, TRUSTED)
    begin, end = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
    assert source.key_text == f"{begin}\n\nmDME\n{end}\n"
    assert source.keyrings == ()


def host(tmp_path: Path, *lines: str, parts: dict[str, str] | None = None) -> AptSettings:
    etc = tmp_path / "etc/apt"
    (etc / "sources.list.d").mkdir(parents=True)
    (etc / "trusted.gpg.d").mkdir()
    (etc / "trusted.gpg.d/a.asc").write_text("")
    (etc / "sources.list").write_text("\n".join(lines))
    for name, text in (parts or {}).items():
        (etc / "sources.list.d" / name).write_text(text)
    return read_settings(lambda: f'Dir "{tmp_path}/";\nDir::Etc "etc/apt";\n')


def suites(settings: AptSettings, suite: str = "bookworm") -> list[tuple[str, str]]:
    return [(source.uri, source.suite) for source in host_sources(settings, suite)]


def test_the_hosts_sources_of_our_release_are_taken_without_repeats(tmp_path: Path) -> None:
    settings = host(
        tmp_path,
        "deb http://a.example/debian bookworm main",
        "deb http://a.example/debian bookworm main",
        "deb http://a.example/security bookworm-security main",
        "deb http://a.example/debian trixie main",
        "deb http://flat.example ./",
        "deb cdrom:[Debian]/ bookworm main",
        parts={
            "b.list": "deb http://b.example bookworm main\n",
            "off.list.disabled": "deb http://c.example bookworm main\n",
        },
    )
    assert suites(settings) == [
        ("http://a.example/debian", "bookworm"),
        ("http://a.example/security", "bookworm-security"),
        ("http://b.example", "bookworm"),
    ]
    trusted = (tmp_path / "etc/apt/trusted.gpg.d/a.asc",)
    assert {source.keyrings for source in host_sources(settings, "bookworm")} == {trusted}


def test_a_host_of_another_release_lends_its_mirrors(tmp_path: Path) -> None:
    settings = host(
        tmp_path,
        "deb http://a.example/debian trixie main",
        "deb http://a.example/debian-security trixie-security main",
        "deb http://third.example cloud-sdk-trixie main",
    )
    assert suites(settings) == [
        ("http://a.example/debian", "bookworm"),
        ("http://a.example/debian-security", "bookworm-security"),
    ]


def test_a_host_without_sources_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourcesError) as caught:
        suites(host(tmp_path))
    assert caught.value.hint is not None
    assert "--mirror" in caught.value.hint


def test_settings_of_apt() -> None:
    dump = """Acquire "";
Acquire::Check-Valid-Until "false";
Acquire::http::Proxy "http://proxy.example:3128/";
Acquire::http::Proxy::near.example "DIRECT";
Acquire::CompressionTypes:: "x";
"""
    settings = read_settings(lambda: dump)
    assert not settings.check_valid_until
    assert settings.proxy("http", "far.example") == "http://proxy.example:3128/"
    assert settings.proxy("http", "near.example") == ""
    assert settings.proxy("https", "far.example") is None


def test_without_apt_the_defaults_hold() -> None:
    settings = read_settings(lambda: "")
    assert settings.check_valid_until
    assert settings.proxy("http", "a.example") is None


def test_an_explicit_mirror_need_not_be_debians() -> None:
    (source,) = explicit_sources("http://m.example/", "bookworm", ("main",), KEY)
    assert source == Source("http://m.example", "bookworm", ("main",), (KEY,), only_debian=False)
