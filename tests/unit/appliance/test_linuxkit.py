"""Trees in LinuxKit's layout, as its builder writes them, become steps and services of our boot."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ingot.appliance.linuxkit import found_containers
from ingot.appliance.plan import Plan
from ingot.base.errors import UsageError
from ingot.oci.image import Image
from ingot.oci.tree import Tree, file

MakePlan = Callable[[str], Plan]
INIT = "init: [component:init, 'dir:tree']\n"


def config(*args: str, **linux: object) -> str:
    process: dict[str, Any] = {"args": args, "cwd": "/", "user": {"uid": 7, "gid": 8}}
    return json.dumps({"ociVersion": "1.0.2", "process": process, "linux": linux})


# What LinuxKit 1.x writes for a service that can write to its root: empty values are there too.
RUNTIME = {
    "cgroups": ["new/one"],
    "mounts": [
        {"destination": "/containers/services/web/tmp", "type": "tmpfs", "source": "tmpfs"},
        {
            "destination": "/containers/services/web/tmp",
            "type": "",
            "source": "none",
            "options": ["remount", "private"],
        },
        {
            "destination": "/containers/services/web/rootfs",
            "type": "overlay",
            "source": "overlay",
            "options": [
                "lowerdir=/containers/services/web/lower",
                "upperdir=/containers/services/web/tmp/upper",
                "workdir=/containers/services/web/tmp/work",
            ],
        },
    ],
    "mkdir": ["/var/web"],
    "interfaces": [{"name": "web0", "add": "veth", "peer": "web1"}],
    "bindNS": {"cgroup": "", "ipc": "", "mnt": "", "net": "/run/netns/web", "pid": "", "uts": ""},
    "namespace": "",
}


@pytest.fixture
def tree() -> Tree:
    made = Tree()
    files = {
        "onboot/001-second/config.json": config("/bin/second"),
        "onboot/000-first/config.json": config("/bin/first", "a b"),
        "onboot/000-first/runtime.json": "{}",
        "services/web/config.json": config("/bin/web", cgroupsPath="/web"),
        "services/web/runtime.json": json.dumps(RUNTIME),
        "onshutdown/000-bye/config.json": config("/bin/bye"),
    }
    for path, text in files.items():
        made.add(file(f"containers/{path}", text))
    return made


def text(plan: Plan, path: str) -> str:
    entry = plan.root.get(path)
    assert entry is not None, path
    assert entry.content is not None
    return entry.content.read().decode()


def test_sections_are_found_in_the_order_of_their_names(tree: Tree) -> None:
    found = found_containers(tree)
    names = {section: [bundle.name for bundle in bundles] for section, bundles in found.items()}
    assert names == {"onboot": ["first", "second"], "onshutdown": ["bye"], "services": ["web"]}
    (web,) = found["services"]
    assert (web.command, web.user, web.cgroup) == (("/bin/web",), (7, 8, ()), "/web")


def test_our_boot_runs_them_before_the_appliance_s_own(
    images: dict[str, Image], make_image: Callable[..., Image], make: MakePlan, tree: Tree
) -> None:
    images["dir:tree"] = make_image("dir:tree", files={})
    images["dir:tree"].tree.merge(tree)
    plan = make(f"{INIT}services: [{{name: own, image: component:app}}]\n")
    assert plan.services == ("web", "own")
    assert text(plan, "etc/ingot/onboot/000-first/command") == "/bin/first 'a b'\n"
    run = text(plan, "etc/service/web/run").splitlines()
    folder = "/containers/services/web"
    for line in (
        f"  mkdir -p {folder}/tmp &&",
        f"  mkdir -p {folder}/rootfs {folder}/tmp/upper {folder}/tmp/work &&",
        "mkdir -p /var/web || exit 1",
        "mkdir -p /sys/fs/cgroup/new/one || exit 1",
        "watch_beside web 60 running /web",
        f"exec /usr/bin/crun run --config /etc/ingot/hooks/web.json --bundle {folder} web",
    ):
        assert line in run, line
    assert [line for line in run if f"mount --make-private {folder}/tmp " in line] != []
    hook = text(plan, "etc/ingot/hooks/web")
    assert "ip link add web0 type veth" in hook
    assert "/run/netns/web" in hook


def test_a_name_can_be_used_once(
    images: dict[str, Image], make_image: Callable[..., Image], make: MakePlan, tree: Tree
) -> None:
    images["dir:tree"] = make_image("dir:tree", files={})
    images["dir:tree"].tree.merge(tree)
    with pytest.raises(UsageError, match="container of its own at /containers/services/web"):
        make(f"{INIT}services: [{{name: web, image: component:app}}]\n")


def test_a_broken_file_is_named(tree: Tree) -> None:
    tree.add(file("containers/services/web/runtime.json", '{"mkdir": 7}'))
    with pytest.raises(
        UsageError, match=r"/containers/services/web/runtime\.json of an init image"
    ):
        found_containers(tree)
