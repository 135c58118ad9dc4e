"""The dependency closure chooses as apt would, and says why it cannot."""

import pytest

from ingot.base.errors import NotFoundError
from ingot.debian.closure import Universe, UnsatisfiableError, close
from ingot.debian.index import Package, PackageIndex, decode_index, encode_index


def index(*rows: str, suite: str = "bookworm") -> PackageIndex:
    """Rows are `name version [field: value; …]`."""
    stanzas = []
    for row in rows:
        head, _, rest = row.partition(";")
        name, version = head.split()
        fields = "".join(f"{field.strip()}\n" for field in rest.split(";") if field.strip())
        architecture = "" if "Architecture:" in fields else "Architecture: amd64\n"
        stanzas.append(
            f"Package: {name}\nVersion: {version}\n{architecture}{fields}"
            f"Filename: pool/{name}.deb\nSize: 1\nSHA256: {'0' * 64}\n"
        )
    decoded = decode_index(encode_index("\n".join(stanzas), suite))
    assert decoded is not None
    return decoded


def chosen(universe: Universe, *names: str, **options: object) -> list[str]:
    return [f"{p.name}={p.version}" for p in close(names, universe, **options)]


def universe(*rows: str, pinned: dict[str, Package] | None = None) -> Universe:
    return Universe([index(*rows)], "amd64", pinned)


def test_depends_and_pre_depends_are_followed_recommends_are_not() -> None:
    found = universe("a 1;Depends: b;Pre-Depends: c;Recommends: d", "b 1;Depends: c", "c 1", "d 1")
    assert chosen(found, "a") == ["a=1", "b=1", "c=1"]


def test_the_newest_version_of_all_indexes_is_taken() -> None:
    indexes = [index("a 1.10-1"), index("a 1.9-1"), index("a 1.10-1+deb12u1")]
    assert chosen(Universe(indexes, "amd64"), "a") == ["a=1.10-1+deb12u1"]


def test_other_architectures_are_no_candidates() -> None:
    rows = ("a 2;Architecture: arm64", "a 1;Architecture: all")
    assert chosen(universe(*rows), "a") == ["a=1"]
    assert chosen(Universe([index(*rows)], "arm64"), "a") == ["a=2"]


def test_cycles_end() -> None:
    assert chosen(universe("a 1;Depends: b", "b 1;Depends: a"), "a") == ["a=1", "b=1"]


def test_first_alternative_unless_another_is_there_already() -> None:
    rows = ("a 1;Depends: x | y", "x 1", "y 1")
    assert chosen(universe(*rows), "a") == ["a=1", "x=1"]
    assert chosen(universe(*rows), "a", "y") == ["a=1", "y=1"]


def test_virtual_packages_and_versioned_provides() -> None:
    rows = ("a 1;Depends: mta, lib (>= 2)", "m 1;Provides: mta", "l 1;Provides: lib (= 3)")
    assert chosen(universe(*rows), "a") == ["a=1", "l=1", "m=1"]


def test_an_unversioned_provides_fulfils_no_bound() -> None:
    with pytest.raises(UnsatisfiableError, match=r"a 1 depends on lib \(>= 2\): no package fits"):
        chosen(universe("a 1;Depends: lib (>= 2)", "l 1;Provides: lib"), "a")


def test_an_older_version_is_taken_where_only_it_fits() -> None:
    rows = [index("a 1;Depends: b (<< 2)", "b 2"), index("b 1")]
    assert chosen(Universe(rows, "amd64"), "a") == ["a=1", "b=1"]


def test_excluded_packages_are_left_out_with_what_they_need() -> None:
    rows = ("a 1;Depends: perl-base, c", "perl-base 1;Depends: d", "c 1", "d 1")
    assert chosen(universe(*rows), "a", exclude=["perl*"]) == ["a=1", "c=1"]


def test_ignored_depends() -> None:
    rows = (
        "meta 1;Depends: linux-6.1",
        "linux-6.1 6.1;Depends: initramfs-tools",
        "initramfs-tools 1",
    )
    found = chosen(universe(*rows), "meta", ignore_depends=["linux-[0-9]*"])
    assert found == ["linux-6.1=6.1", "meta=1"]


def test_a_conflict_of_versions_names_the_chain() -> None:
    rows = ("a 1;Depends: b, c", "b 1;Depends: c", "c 1;Depends: b (>= 2)")
    with pytest.raises(UnsatisfiableError, match=r"a → c 1 depends on b \(>= 2\): b is 1"):
        chosen(universe(*rows), "a")


def test_an_unknown_package_is_an_error() -> None:
    with pytest.raises(NotFoundError, match="no package nothing"):
        chosen(universe("a 1"), "nothing")


def test_pins_are_the_only_candidates() -> None:
    pin = Package("b", "1", "amd64", "bookworm", "pool/b.deb", 1, "0" * 64)
    rows = ("a 1;Depends: b", "b 2")
    assert chosen(universe(*rows, pinned={"b": pin}), "a") == ["a=1", "b=1"]
