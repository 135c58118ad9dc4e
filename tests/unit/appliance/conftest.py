"""Images and appliances made by hand: the appliance room needs no archive to be tested."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pytest

from ingot.appliance.additions import with_additions
from ingot.appliance.documents import Document
from ingot.appliance.kernels import unpack_archive
from ingot.appliance.plan import Plan, make_plan
from ingot.appliance.spec import Appliance, parse_appliance
from ingot.oci.image import Image, ImageConfig
from ingot.oci.tree import Tree, file, symlink

SECCOMP = json.dumps(
    {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        ],
        "syscalls": [{"names": ["write", "read"], "action": "SCMP_ACT_ALLOW", "args": []}],
    }
)

MakeImage = Callable[..., Image]
MakePlan = Callable[[str], Plan]


@pytest.fixture
def make_image() -> MakeImage:
    """Make an image: `make_image("component:app", files={path: text}, labels={…})`."""

    def make(
        reference: str = "component:app",
        *,
        files: Mapping[str, str] = MappingProxyType({}),
        labels: Mapping[str, str] = MappingProxyType({}),
        command: Sequence[str] = ("/bin/app",),
        env: Sequence[str] = (),
    ) -> Image:
        tree = Tree()
        for path, text in files.items():
            tree.add(file(path, text, 0o755))
        config = ImageConfig(entrypoint=tuple(command), env=tuple(env), labels=labels)
        return Image(reference, config, tree)

    return make


@pytest.fixture
def images(make_image: MakeImage) -> dict[str, Image]:
    """The images that the appliances of these tests name."""
    system = make_image(
        "component:init",
        files={
            "init": "#!/bin/busybox sh\n",
            "bin/busybox": "busybox",
            "usr/bin/crun": "crun",
            "usr/lib/ingot/boot": "#!/bin/busybox sh\n",
            "usr/share/containers/seccomp.json": SECCOMP,
        },
    )
    system.tree.add(symlink("etc/resolv.conf", "/run/resolvconf/resolv.conf"))
    kernel = make_image(
        "component:kernel",
        files={
            "boot/vmlinuz-6.1": "kernel",
            "usr/lib/modules/6.1/kernel/loop.ko": "loop",
            "usr/lib/modules/6.1/kernel/net.ko": "net",
            "usr/lib/modules/6.1/kernel/other.ko": "other",
            "usr/lib/modules/6.1/kernel/squashfs.ko": "squashfs",
            "usr/lib/modules/6.1/kernel/erofs.ko": "erofs",
        },
        labels={
            "ingot.modules.early": "loop",
            "ingot.modules.root": "net squashfs erofs",
            "ingot.modules": "net loop",
            "ingot.modules.disks": "ahci",
            "ingot.modules.cards": "e1000",
        },
    )
    app = {"bin/app": "app", "etc/hostname": "builder"}
    hardened = {
        "org.mobyproject.config": '{"readonly": true, "noNewPrivileges": true, "uid": 1000}',
        "ingot.config": '{"seccomp": "default", "stop-timeout": "3s"}',
    }
    made = [
        system,
        kernel,
        make_image("component:app", files=app),
        make_image("component:twin", files=app),
        make_image("component:hardened", files=app, labels=hardened),
        make_image("component:format", files=app),
        make_image("component:mount", files=app),
    ]
    return {image.reference: image for image in made}


@pytest.fixture
def parse() -> Callable[[str], Appliance]:
    """Read the text of an appliance file called test.yml."""

    def read(text: str) -> Appliance:
        return parse_appliance([Document(text, "test.yml")], name="test")

    return read


@pytest.fixture
def make(images: dict[str, Image], parse: Callable[[str], Appliance], tmp_path: Path) -> MakePlan:
    """Plan the appliance of a YAML text with these images."""

    def order(tree: Tree, names: Sequence[str]) -> list[str]:
        return [f"usr/lib/modules/6.1/kernel/{name}.ko" for name in names]

    def plan(text: str) -> Plan:
        appliance = with_additions(parse(text))
        unpack = partial(unpack_archive, cache_dir=tmp_path / "cache")
        return make_plan(appliance, images, arch="amd64", module_order=order, unpack=unpack)

    return plan
