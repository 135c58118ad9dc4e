"""Containers: which setting wins, and the exact config.json and runtime.json of two of them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ingot.appliance.bundle import Bundle, container_mounts, make_bundle
from ingot.appliance.capabilities import KNOWN
from ingot.appliance.runtime import config_json, runtime_json
from ingot.appliance.settings import Settings
from ingot.appliance.spec import Appliance
from ingot.base.document import DocumentError
from ingot.base.errors import UsageError
from ingot.oci.image import Image

GOLDEN = Path(__file__).parent / "golden"
PROFILE = b"""{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
 "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
 "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}"""

MakeImage = Callable[..., Image]
Parse = Callable[[str], Appliance]


@pytest.fixture
def bundle(parse: Parse, make_image: MakeImage) -> Callable[..., Bundle]:
    """Decide the one service of a flow-style YAML mapping, on an image with these traits."""

    def make(yaml: str = "", **image: object) -> Bundle:
        text = f"services: [{{name: web, image: component:app{', ' if yaml else ''}{yaml}}}]"
        settings = parse(text).services[0].settings
        folder = "containers/services/web"
        return make_bundle("web", folder, make_image(**image), settings, {"web": 100})

    return make


def document(bundle: Bundle, profile: bytes | None = PROFILE) -> dict:
    return json.loads(config_json(bundle, arch="amd64", profile=profile))


@pytest.mark.parametrize(
    ("name", "reference", "yaml", "labels"),
    [
        ("linuxkit", "example/app", "", {}),
        (
            "component",
            "component:app",
            "binds: ['/var/data:/data', '/etc/resolv.conf:/etc/resolv.conf:ro'], net: new",
            {
                "org.mobyproject.config": "uid: 1000\ntmpfs: ['/tmp:mode=1777']\n"
                "rlimits: ['nofile,10,unlimited']\n",
            },
        ),
    ],
)
def test_documents_are_golden(
    bundle: Callable[..., Bundle], name: str, reference: str, yaml: str, labels: dict[str, str]
) -> None:
    made = bundle(yaml, reference=reference, labels=labels, env=["PATH=/bin"])
    rendered = config_json(made, arch="amd64", profile=PROFILE) + runtime_json(made)
    assert rendered.decode() == (GOLDEN / f"{name}.txt").read_text()


def test_yaml_wins_over_the_label_and_the_label_over_the_image(
    bundle: Callable[..., Bundle],
) -> None:
    label = {"org.mobyproject.config": '{"command": ["label"], "env": ["L=1"], "cwd": "/label"}'}
    process = document(bundle("cwd: /yaml", labels=label, command=["image"]))["process"]
    assert process["args"] == ["label"]
    assert process["env"] == ["L=1"]
    assert process["cwd"] == "/yaml"


def test_added_keys_extend_the_label_s_list(bundle: Callable[..., Bundle]) -> None:
    label = {"org.mobyproject.config": '{"capabilities": ["CAP_KILL"], "binds": ["/a:/a"]}'}
    made = bundle("capabilities.add: [CAP_CHOWN, CAP_KILL], binds.add: ['/b:/b']", labels=label)
    assert made.capabilities == ("CAP_CHOWN", "CAP_KILL")
    assert made.settings.binds == ("/a:/a", "/b:/b")


def test_added_variables_replace_those_of_the_same_name(bundle: Callable[..., Bundle]) -> None:
    made = bundle("env.add: [A=2, C=3]", env=["A=1", "B=1"])
    assert document(made)["process"]["env"] == ["A=2", "B=1", "C=3"]


def test_added_keys_are_ignored_beside_the_plain_key(bundle: Callable[..., Bundle]) -> None:
    label = {"org.mobyproject.config": '{"capabilities": ["CAP_KILL"]}'}
    made = bundle("capabilities: [], capabilities.add: [CAP_CHOWN]", labels=label)
    assert made.capabilities == ()


def test_capabilities_go_where_linuxkit_puts_them(bundle: Callable[..., Bundle]) -> None:
    made = bundle("capabilities: [CAP_CHOWN], ambient: [CAP_KILL]")
    sets = document(made)["process"]["capabilities"]
    assert sets["effective"] == ["CAP_CHOWN"]
    assert sets["ambient"] == ["CAP_KILL"]
    assert sets["bounding"] == sets["permitted"] == ["CAP_CHOWN", "CAP_KILL"]


def test_all_capabilities_are_a_word(bundle: Callable[..., Bundle]) -> None:
    assert set(bundle("capabilities: [all]").capabilities) == KNOWN


def test_names_of_containers_are_users(bundle: Callable[..., Bundle]) -> None:
    user = document(bundle("uid: web, gid: root, additionalGids: [web, 7]"))["process"]["user"]
    assert user == {"uid": 100, "gid": 0, "additionalGids": [100, 7]}


def test_an_unknown_user_is_an_error(bundle: Callable[..., Bundle]) -> None:
    with pytest.raises(UsageError, match="'nobody' is neither a number"):
        bundle("uid: nobody")


def test_an_image_without_program_is_an_error(bundle: Callable[..., Bundle]) -> None:
    with pytest.raises(UsageError, match="names no program"):
        bundle(command=[])


def test_a_wrong_label_is_an_error_with_its_place(bundle: Callable[..., Bundle]) -> None:
    with pytest.raises(DocumentError, match=r"component:app label ingot.config:1:1: secomp: "):
        bundle(labels={"ingot.config": "secomp: default"})


def test_a_device_is_a_node_and_a_rule(bundle: Callable[..., Bundle]) -> None:
    linux = document(
        bundle("devices: [{path: /dev/fuse, type: c, major: 10, minor: 229, mode: 0666}]")
    )["linux"]
    assert linux["devices"] == [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666}
    ]
    assert linux["resources"]["devices"] == [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"},
    ]


def test_every_device_of_a_type_is_a_rule_alone(bundle: Callable[..., Bundle]) -> None:
    linux = document(bundle("devices: [{path: all, type: b}]"))["linux"]
    assert linux["devices"] == []
    assert linux["resources"]["devices"][1] == {"allow": True, "type": "b", "access": "rwm"}


def test_the_host_s_dev_comes_whole_and_unfiltered(bundle: Callable[..., Bundle]) -> None:
    made = document(bundle("binds: ['/dev:/dev']"))
    destinations = [mount["destination"] for mount in made["mounts"]]
    assert "/dev/pts" not in destinations
    assert "resources" not in made["linux"]


def test_a_mount_replaces_the_usual_one_at_its_place(bundle: Callable[..., Bundle]) -> None:
    made = document(bundle("mounts: [{type: tmpfs, destination: /sys}]"))
    (sys,) = [mount for mount in made["mounts"] if mount["destination"] == "/sys"]
    assert sys["type"] == "tmpfs"


def test_namespaces_are_the_host_s_unless_asked_for(bundle: Callable[..., Bundle]) -> None:
    def kinds(yaml: str) -> list[dict]:
        return document(bundle(yaml))["linux"]["namespaces"]

    assert kinds("") == [{"type": "mount"}, {"type": "pid"}]
    assert kinds("pid: host") == [{"type": "mount"}]
    assert kinds("pid: host, net: none, uts: /run/ns") == [
        {"type": "mount"},
        {"type": "network"},
        {"type": "uts", "path": "/run/ns"},
    ]


def test_optional_parts_appear_when_given(bundle: Callable[..., Bundle]) -> None:
    made = document(
        bundle(
            "hostname: h, annotations: {a: b}, sysctl: {x: 1}, oomScoreAdj: 7,"
            " rootfsPropagation: shared, cgroupsPath: /own"
        )
    )
    assert made["hostname"] == "h"
    assert made["annotations"] == {"a": "b"}
    assert made["process"]["oomScoreAdj"] == 7
    assert made["linux"]["sysctl"] == {"x": "1"}
    assert made["linux"]["rootfsPropagation"] == "shared"
    assert made["linux"]["cgroupsPath"] == "/own"


def test_a_profile_that_is_wanted_must_be_there(bundle: Callable[..., Bundle]) -> None:
    with pytest.raises(UsageError, match="needs a profile"):
        document(bundle("seccomp: default"), profile=None)


def test_unsaid_settings_do_not_hide_said_ones() -> None:
    assert Settings().over(Settings(cwd="/x")) == Settings(cwd="/x")


def test_what_a_locked_up_container_can_write_it_cannot_run(
    bundle: Callable[..., Bundle],
) -> None:
    def options(text: str, reference: str = "component:app") -> dict[str, set[str]]:
        made = bundle(f"binds: [{text}], tmpfs: [/tmp]", reference=reference)
        return {mount.destination: set(mount.options) for mount in container_mounts(made)}

    quiet = {"nosuid", "noexec", "nodev"}
    found = options("'/var/a:/a', '/var/b:/b:ro', '/var/c:/c:rw,exec', '/dev:/devices'")
    assert quiet <= found["/a"]
    assert quiet <= found["/tmp"]
    assert not quiet & found["/b"]
    assert quiet & found["/c"] == {"nosuid", "nodev"}
    assert quiet & found["/devices"] == {"nosuid", "noexec"}
    assert "noexec" in found["/dev"]
    theirs = options("'/var/a:/a'", reference="docker.io/library/app")
    assert not quiet & (theirs["/a"] | theirs["/tmp"])


def test_a_mount_hides_none_that_lies_deeper(bundle: Callable[..., Bundle]) -> None:
    made = bundle("binds: ['/a:/data/x/y', '/b:/data/x'], tmpfs: [/data], mounts: [{type: mqueue}]")
    places = [mount["destination"] for mount in document(made)["mounts"]]
    assert places.index("/data") < places.index("/data/x") < places.index("/data/x/y")
    assert places.index("/dev") < places.index("/dev/mqueue")
