"""The trees of LinuxKit-shaped appliances, entry by entry: its rules, and golden lists.

The rules are applied here to the YAML as PyYAML reads it, so that nothing of ours vouches for
itself. `INGOT_GOLDEN=write` writes the lists anew; read them before they are kept.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingot.appliance.build import plan_appliance
from ingot.appliance.capabilities import KNOWN
from ingot.appliance.inputs import read_file
from ingot.appliance.plan import Plan
from ingot.oci.tree import Entry

from .conftest import EXAMPLES, FOLDER, IMAGES, KERNEL_ARCHIVE, LEFT_OVERS, Made, MakeSession

SECTIONS = ("onboot", "onshutdown", "services")
# What our boot reads; LinuxKit's init does not look there.
OWN = ("etc/ingot", "etc/service", "sbom.spdx.json")


class Container:
    """One entry of a section, with the values that win: YAML, label, image, default."""

    def __init__(self, section: str, index: int, entry: dict[str, Any]) -> None:
        number = f"{index:03d}-" if section != "services" else ""
        self.folder = f"containers/{section}/{number}{entry['name']}"
        self.entry = entry
        self.image: Made = IMAGES[entry["image"]]
        self.label = self.image.label or {}

    def value(self, key: str, default: Any = None) -> Any:
        return self.entry.get(key, self.label.get(key, default))

    def added(self, key: str) -> list[str]:
        """Return a list that `KEY.add` may append to, without what is in it already."""
        if key in self.entry:
            return list(self.entry[key])
        found = list(self.label.get(key, []))
        return found + [x for x in self.entry.get(f"{key}.add", []) if x not in found]


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yml").read_text())
    return document


def containers(name: str) -> Iterator[Container]:
    document = read(name)
    for section in SECTIONS:
        for index, entry in enumerate(document.get(section, [])):
            yield Container(section, index, entry)


EACH = pytest.mark.parametrize("name", EXAMPLES)


def entry_of(plan: Plan, path: str) -> Entry:
    found = plan.root.get(path)
    assert found is not None, path
    return found


def text(plan: Plan, path: str) -> str:
    content = entry_of(plan, path).content
    assert content is not None, path
    return content.read().decode()


def document(plan: Plan, container: Container, name: str) -> Any:
    return json.loads(text(plan, f"{container.folder}/{name}"))


@EACH
def test_the_kernel_is_split_out_and_its_archive_unpacked(
    plans: dict[str, Plan], name: str
) -> None:
    plan, kernel = plans[name], read(name)["kernel"]
    boot = {e.path for e in plan.root if e.path.startswith("boot/")}
    ucode = {"boot/ucode.cpio"} if "ucode" in kernel else set()
    assert boot == {"boot/kernel", "boot/cmdline"} | ucode
    assert text(plan, "boot/kernel") == "elf"
    assert text(plan, "boot/cmdline") == kernel["cmdline"]
    for path, body in KERNEL_ARCHIVE.items():
        assert text(plan, path) == body
    assert not [path for path in ("kernel", "kernel.tar", "kernel-dev.tar") if path in plan.root]


@EACH
def test_init_images_are_laid_over_each_other(plans: dict[str, Plan], name: str) -> None:
    plan, images = plans[name], [IMAGES[image] for image in read(name)["init"]]
    for image in images:
        for path, body in image.files.items():
            if path not in LEFT_OVERS and not path.startswith("lib/apk/"):
                assert text(plan, path) == body, path
        for path, target in image.links.items():
            assert entry_of(plan, path).link == target
    lists = [image.files.get("lib/apk/db/installed", "") for image in images]
    assert text(plan, "lib/apk/db/installed") == "".join(lists)
    assert entry_of(plan, "etc/resolv.conf").link == "/run/resolvconf/resolv.conf"


def check_image(plan: Plan, place: str, image: Made) -> None:
    """Check what every image must look like in the tree."""
    for path, body in image.files.items():
        if path not in LEFT_OVERS:
            assert text(plan, f"{place}{path}") == body
    for path in (".dockerenv", "Dockerfile", "dev/console"):
        assert f"{place}{path}" not in plan.root
    for path in ("dev", "dev/pts", "dev/shm", "etc", "proc", "sys"):
        assert entry_of(plan, f"{place}{path}").kind == "directory"
    assert entry_of(plan, f"{place}etc/mtab").link == "/proc/mounts"
    assert "builder" not in text(plan, f"{place}etc/hosts")


@EACH
def test_bundles_stand_where_the_init_looks_for_them(plans: dict[str, Plan], name: str) -> None:
    plan = plans[name]
    for container in containers(name):
        folder = container.folder
        assert document(plan, container, "config.json")["root"]["path"] == "rootfs"
        mounts = document(plan, container, "runtime.json")["mounts"]
        if container.value("readonly", False):
            check_image(plan, f"{folder}/rootfs/", container.image)
            assert f"{folder}/lower" not in plan.root
            first = mounts[0]
            assert (first["source"], first["destination"]) == (f"/{folder}/rootfs",) * 2
            assert "bind" in first["options"]
            continue
        check_image(plan, f"{folder}/lower/", container.image)
        for empty in ("tmp", "rootfs"):
            assert entry_of(plan, f"{folder}/{empty}").kind == "directory"
            assert not [e.path for e in plan.root if e.path.startswith(f"{folder}/{empty}/")]
        assert [mount["type"] for mount in mounts[:3]] == ["tmpfs", "", "overlay"]
        assert [mount["destination"] for mount in mounts[:3]] == [
            *(f"/{folder}/tmp",) * 2,
            f"/{folder}/rootfs",
        ]
        assert set(mounts[2]["options"]) == {
            f"lowerdir=/{folder}/lower",
            f"upperdir=/{folder}/tmp/upper",
            f"workdir=/{folder}/tmp/work",
        }


@EACH
def test_processes_are_what_yaml_label_and_image_say(plans: dict[str, Plan], name: str) -> None:
    numbers = {c.entry["name"]: 100 + i for i, c in enumerate(containers(name))}
    for container in containers(name):
        config = document(plans[name], container, "config.json")
        process, image = config["process"], container.image
        assert process["args"] == list(container.value("command", list(image.command)))
        assert process["env"] == list(container.value("env", list(image.env)))
        assert process["cwd"] == container.value("cwd", image.cwd or "/")
        owner = container.value("uid", 0)
        assert process["user"]["uid"] == numbers.get(owner, owner)
        wanted = container.added("capabilities")
        capabilities = sorted(KNOWN) if "all" in wanted else sorted(wanted)
        for kind in ("bounding", "effective", "inheritable", "permitted"):
            assert process["capabilities"][kind] == capabilities, (container.folder, kind)
        assert process["noNewPrivileges"] is bool(container.value("noNewPrivileges", False))
        assert "seccomp" not in config["linux"]


@EACH
def test_namespaces_and_mounts_are_linuxkit_s(plans: dict[str, Plan], name: str) -> None:
    for container in containers(name):
        config = document(plans[name], container, "config.json")
        found = {row["type"]: row.get("path", "new") for row in config["linux"]["namespaces"]}
        assert found.pop("mount") == "new"
        expected = {"pid": container.value("pid", "new"), "network": container.value("net", "host")}
        expected |= {key: container.value(key, "host") for key in ("ipc", "uts")}
        assert found == {kind: value for kind, value in expected.items() if value != "host"}
        mounts = {row["destination"]: row for row in config["mounts"]}
        binds = [text.split(":") for text in container.added("binds")]
        usual = {"/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup"}
        if "/dev" in {bind[1] for bind in binds}:
            usual.remove("/dev/pts")
        assert set(mounts) == usual | {bind[1] for bind in binds}
        for place in {"/dev", "/sys"} - {bind[1] for bind in binds}:
            is_readonly = bool(container.value("readonly", False))
            assert ("ro" in mounts[place]["options"]) == is_readonly, (container.folder, place)
        for source, destination, *options in binds:
            place = source if source.startswith("/") else f"/containers/volumes/{source}/merged"
            mount = mounts[destination]
            assert (mount["type"], mount["source"]) == ("bind", place)
            given = set(options[0].split(",")) if options else {"rw", "rshared"}
            assert set(mount["options"]) == given | {"rbind"}


@EACH
def test_what_the_machine_does_is_in_runtime_json(plans: dict[str, Plan], name: str) -> None:
    for container in containers(name):
        runtime = document(plans[name], container, "runtime.json")
        wanted = {**container.label.get("runtime", {}), **container.entry.get("runtime", {})}
        assert runtime["mkdir"] == wanted.get("mkdir", [])
        assert runtime["cgroups"] == wanted.get("cgroups", [])
        assert runtime["namespace"] == wanted.get("namespace", "")
        kinds = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
        assert runtime["bindNS"] == dict.fromkeys(kinds, "") | wanted.get("bindNS", {})
        usual = {"name": "", "add": "", "peer": "", "createInRoot": False}
        assert runtime["interfaces"] == [usual | row for row in wanted.get("interfaces", [])]
        own = runtime["mounts"][1 if container.value("readonly", False) else 3 :]
        assert own == wanted.get("mounts", [])


@EACH
def test_files_are_laid_over_everything(plans: dict[str, Plan], name: str) -> None:
    numbers = {c.entry["name"]: 100 + i for i, c in enumerate(containers(name))}
    for row in read(name).get("files", []):
        entry = entry_of(plans[name], row["path"].strip("/"))
        is_folder = row.get("directory", False)
        assert entry.kind == ("directory" if is_folder else "file")
        assert entry.mode == int(row.get("mode", "0700" if is_folder else "0600"), 8)
        owners = (row.get("uid", 0), row.get("gid", 0))
        assert (entry.uid, entry.gid) == tuple(numbers.get(owner, owner) for owner in owners)
        if "contents" in row:
            assert text(plans[name], entry.path) == row["contents"]
        if row.get("metadata") == "yaml":
            assert yaml.safe_load(text(plans[name], entry.path)) == read(name)
    # A file of default mode closes no folder that was there before.
    assert entry_of(plans[name], "etc").mode == 0o755


def test_volumes_begin_with_their_images(plans: dict[str, Plan]) -> None:
    plan, folder = plans["volumes"], "containers/volumes"
    for name in ("pages", "blank", "kept"):
        for part in ("lower", "tmp", "merged"):
            assert entry_of(plan, f"{folder}/{name}/{part}").kind == "directory"
    check_image(plan, f"{folder}/pages/lower/", IMAGES["example/pages:1"])
    assert not [e.path for e in plan.root if e.path.startswith(f"{folder}/blank/lower/")]
    layout = f"{folder}/kept/lower"
    assert json.loads(text(plan, f"{layout}/oci-layout"))["imageLayoutVersion"] == "1.0.0"
    [root] = json.loads(text(plan, f"{layout}/index.json"))["manifests"]
    blob = root["digest"].replace(":", "/")
    manifest = json.loads(text(plan, f"{layout}/blobs/{blob}"))
    for part in (manifest["config"], *manifest["layers"]):
        entry = entry_of(plan, f"{layout}/blobs/{part['digest'].replace(':', '/')}")
        assert entry.content is not None
        assert f"sha256:{entry.content.sha256()}" == part["digest"]


def test_limits_reach_the_runtime(plans: dict[str, Plan]) -> None:
    config = json.loads(text(plans["logging"], "containers/services/limited/config.json"))
    assert config["process"]["rlimits"] == [
        {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 2**64 - 1},
    ]
    assert config["process"]["oomScoreAdj"] == -800
    assert config["annotations"] == {"who": "me"}
    linux = config["linux"]
    assert linux["resources"]["memory"] == {"limit": 33554432}
    assert linux["resources"]["blockIO"] == {"weight": 100}
    assert linux["maskedPaths"] == ["/proc/kcore"]
    assert linux["readonlyPaths"] == ["/proc/sys"]
    assert linux["sysctl"] == {"net.ipv4.ip_forward": "1"}


def test_devices_become_nodes_and_rules(plans: dict[str, Plan]) -> None:
    config = json.loads(text(plans["dm-crypt"], "containers/onboot/000-dm-crypt/config.json"))
    [node] = config["linux"]["devices"]
    assert (node["path"], node["major"], node["minor"], node["fileMode"]) == (
        *("/dev/mapper/control", 10, 236),
        0o600,
    )
    assert config["linux"]["resources"]["devices"] == [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "b", "access": "rwm"},
        {"allow": True, "type": "c", "major": 10, "minor": 236, "access": "rwm"},
    ]


@pytest.mark.parametrize("name", ["volumes", "wireguard", "microcode"])
def test_another_machine_plans_the_same(
    plans: dict[str, Plan], name: str, tmp_path: Path, make_session: MakeSession
) -> None:
    copy = tmp_path / "elsewhere" / f"{name}.yml"
    copy.parent.mkdir()
    copy.write_text((FOLDER / f"{name}.yml").read_text())
    plan = plan_appliance(read_file(copy), "amd64", make_session(tmp_path))
    assert plan.root.digest() == plans[name].root.digest()


def listed(plan: Plan) -> str:
    lines = []
    for entry in plan.root:
        if entry.path.startswith(OWN):
            continue
        size = entry.content.size_bytes if entry.content is not None else 0
        detail = f" -> {entry.link}" if entry.link else ""
        if entry.kind == "file" and not entry.path.endswith((".json", "index.json")):
            detail = f" {size}"
        owner = f"{entry.uid}:{entry.gid}"
        lines.append(f"{entry.kind:9} {entry.mode:04o} {owner:7} {entry.path}{detail}\n")
    return "".join(lines)


@EACH
def test_the_tree_is_golden(plans: dict[str, Plan], name: str) -> None:
    path = FOLDER / f"{name}.tree"
    if os.environ.get("INGOT_GOLDEN") == "write":
        path.write_text(listed(plans[name]))
    assert listed(plans[name]) == path.read_text()
