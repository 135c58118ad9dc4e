"""Images of the shapes that LinuxKit's have, in a store that no registry has to fill."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ingot.appliance.build import plan_appliance
from ingot.appliance.inputs import read_file
from ingot.appliance.plan import Plan
from ingot.debian.session import Session
from ingot.oci.store import ImageStore
from ingot.oci.transfer import import_images
from ingot.testing.images import SmallImage, member, tar_of, write_layout

FOLDER = Path(__file__).parent
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.yml"))
MakeSession = Callable[[Path], Session]
LABEL = "org.mobyproject.config"


@dataclass(frozen=True)
class Made:
    """An image: its files, how it is run, and LinuxKit's settings in its label."""

    files: dict[str, str]
    command: tuple[str, ...] = ()
    label: dict[str, Any] | None = None
    env: tuple[str, ...] = ()
    cwd: str = ""
    links: dict[str, str] = field(default_factory=dict)


# Left behind by whoever builds images.
LEFT_OVERS = {
    ".dockerenv": "",
    "Dockerfile": "FROM scratch",
    "etc/hostname": "builder",
    "etc/hosts": "172.17.0.2 builder",
    "etc/resolv.conf": "nameserver 192.0.2.1",
}
KERNEL_ARCHIVE = {"lib/modules/6.12/modules.builtin": "", "lib/modules/6.12/x.ko": "module"}
IMAGES = {
    "linuxkit/kernel:6.12": Made(
        {"kernel": "elf", "kernel-dev.tar": "headers", "intel-ucode.cpio": "070701"}
    ),
    "linuxkit/init:1": Made(
        {
            **LEFT_OVERS,
            "init": "elf",
            "sbin/init": "busybox",
            "bin/rc.init": "#!/bin/sh",
            "usr/bin/service": "elf",
            "etc/inittab": "::sysinit:/bin/rc.init",
            "lib/apk/db/installed": "P:busybox\nV:1.36\n\n",
        },
        links={"bin/rc.shutdown": "rc.init", "etc/init.d/005-volumes": "/usr/bin/service"},
    ),
    "linuxkit/runc:1": Made(
        {"usr/bin/runc": "elf", "lib/apk/db/installed": "P:libseccomp\nV:2.5\n\n"},
        links={"etc/init.d/010-onboot": "/usr/bin/service"},
    ),
    "linuxkit/containerd:1": Made(
        {"usr/bin/containerd": "elf", "etc/containerd/config.toml": "state = '/run'"},
        links={"etc/init.d/020-containerd": "/usr/bin/service"},
    ),
    "linuxkit/ca-certificates:1": Made({"etc/ssl/certs/ca-certificates.crt": "PEM"}),
    "linuxkit/memlogd:1": Made({"usr/bin/memlogd": "elf"}),
    "linuxkit/dhcpcd:1": Made(
        {**LEFT_OVERS, "sbin/dhcpcd": "elf", "dhcpcd.conf": "hostname"},
        command=("/sbin/dhcpcd", "--nobackground"),
        label={
            "binds": ["/run:/run", "/tmp:/etc"],
            "runtime": {"mkdir": ["/run/resolvconf"]},
            "capabilities": ["CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW"],
            "net": "host",
            "readonly": True,
        },
    ),
    "linuxkit/getty:1": Made(
        {"usr/bin/rungetty.sh": "#!/bin/sh", "bin/sh": "busybox"},
        command=("/sbin/tini", "/usr/bin/rungetty.sh"),
        env=("PATH=/bin", "TERM=linux"),
        label={
            "pid": "host",
            "binds": ["/etc/resolv.conf:/etc/resolv.conf", "/run:/run", "/:/rootfs"],
            "capabilities": ["all"],
            "devices": [{"path": "all", "type": "c"}],
        },
    ),
    "redis:7": Made(
        {"usr/local/bin/redis-server": "elf"},
        command=("docker-entrypoint.sh", "redis-server"),
        env=("PATH=/usr/local/bin", "REDIS_VERSION=7"),
        cwd="/data",
    ),
    "linuxkit/sysctl:1": Made(
        {"usr/bin/sysctl": "elf", "etc/sysctl.d/00-linuxkit.conf": "kernel.kptr_restrict = 2"},
        command=("/usr/bin/sysctl",),
        label={"pid": "host", "capabilities": ["CAP_SYS_ADMIN"], "readonly": True},
    ),
    "linuxkit/rngd:1": Made(
        {"sbin/rngd": "elf"},
        command=("/sbin/tini", "/sbin/rngd"),
        label={
            "capabilities": ["CAP_SYS_ADMIN"],
            "oomScoreAdj": -800,
            "readonly": True,
            "net": "new",
            "ipc": "new",
        },
    ),
    "linuxkit/sshd:1": Made(
        {"usr/sbin/sshd": "elf"},
        command=("/sbin/tini", "/usr/bin/ssh.sh"),
        label={
            "pid": "host",
            "binds": ["/root/.ssh:/root/.ssh", "/etc/resolv.conf:/etc/resolv.conf"],
            "capabilities": ["all"],
        },
    ),
    "linuxkit/format:1": Made(
        {"usr/bin/format": "elf"},
        command=("/usr/bin/format",),
        label={
            "binds": ["/dev:/dev"],
            "capabilities": ["CAP_SYS_ADMIN", "CAP_MKNOD"],
            "net": "new",
            "ipc": "new",
            "devices": [{"path": "all", "type": "b"}],
        },
    ),
    "linuxkit/mount:1": Made(
        {"usr/bin/mountie": "elf"},
        label={
            "binds": ["/dev:/dev", "/var:/var:rshared,rbind"],
            "capabilities": ["CAP_SYS_ADMIN"],
            "rootfsPropagation": "shared",
            "devices": [{"path": "all", "type": "b"}],
        },
    ),
    "linuxkit/swap:1": Made(
        {"swap.sh": "#!/bin/sh"},
        command=("/bin/sh", "/swap.sh"),
        label={"binds": ["/var:/var", "/dev:/dev"], "capabilities": ["CAP_SYS_ADMIN"]},
    ),
    "linuxkit/dm-crypt:1": Made(
        {"usr/bin/crypto": "elf"},
        command=("/bin/sh",),
        label={
            "binds": ["/dev:/dev", "/etc/dm-crypt:/etc/dm-crypt"],
            "capabilities": ["CAP_SYS_ADMIN", "CAP_MKNOD"],
        },
    ),
    "linuxkit/ip:1": Made(
        {"sbin/ip": "elf"},
        command=("/bin/sh",),
        label={"net": "host", "capabilities": ["CAP_NET_ADMIN"]},
    ),
    "linuxkit/metadata:1": Made(
        {"usr/bin/metadata": "elf"},
        label={"binds": ["/dev:/dev", "/run:/run"], "capabilities": ["CAP_SYS_ADMIN"]},
    ),
    "linuxkit/logwrite:1": Made(
        {"usr/bin/logwrite": "elf"},
        command=("/usr/bin/logwrite",),
        label={"binds": ["/var/log:/var/log", "/run:/run"], "runtime": {"mkdir": ["/var/log"]}},
    ),
    "linuxkit/node_exporter:1": Made({"bin/node_exporter": "elf"}, command=("/bin/node_exporter",)),
    "docker:dind": Made(
        {"usr/local/bin/dockerd": "elf"}, command=("dockerd-entrypoint.sh",), env=("PATH=/bin",)
    ),
    "nginx:alpine": Made({"usr/sbin/nginx": "elf"}, command=("nginx", "-g", "daemon off;")),
    "example/tool:1": Made({"bin/busybox": "elf"}, links={"bin/sh": "busybox"}),
    "example/pages:1": Made({"index.html": "<p>hello"}, command=("/none",)),
}


def small_image(made: Made, extra: dict[str, bytes]) -> SmallImage:
    """Return an image of one layer."""
    bodies = {path: text.encode() for path, text in made.files.items()} | extra
    paths = sorted({*bodies, *made.links})
    folders = sorted({str(above) for path in paths for above in Path(path).parents} - {"."})
    members = [member(folder) for folder in folders]
    for path in paths:
        if path in made.links:
            link = {"type": b"2", "linkname": made.links[path], "size": 0}
            members.append(member(path, b"", **link))
        else:
            members.append(member(path, bodies[path], mode=0o755))
    run: dict[str, Any] = {"Entrypoint": list(made.command), "Env": list(made.env)}
    run["WorkingDir"] = made.cwd
    if made.label is not None:
        run["Labels"] = {LABEL: json.dumps(made.label)}
    # Not compressed: the digests stand in golden lists.
    return SmallImage([tar_of(*members)], run=run, compress=bytes)


@pytest.fixture(scope="session")
def make_session() -> MakeSession:
    """Make a session whose store, in a folder, has all images, and which may not ask for more."""

    def make(folder: Path) -> Session:
        archive = tar_of(
            *(member(path) for path in ("lib", "lib/modules", "lib/modules/6.12")),
            *(member(path, text.encode()) for path, text in KERNEL_ARCHIVE.items()),
        )
        named = {}
        for name, made in IMAGES.items():
            extra = {"kernel.tar": archive} if name.startswith("linuxkit/kernel") else {}
            full = f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}"
            named[full] = [small_image(made, extra)]
        session = Session(cache_dir=folder / "cache", offline=True)
        layout = write_layout(folder / "layout", named)
        import_images(layout, None, ImageStore(session.cache_dir))
        return session

    return make


@pytest.fixture(scope="session")
def session(make_session: MakeSession, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session that all examples share."""
    return make_session(tmp_path_factory.mktemp("linuxkit"))


@pytest.fixture(scope="session")
def plans(session: Session, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Plan]:
    """Every example as it would be built, by name."""
    home = tmp_path_factory.mktemp("home")
    (home / ".ssh").mkdir()
    (home / ".ssh/id_rsa.pub").write_text("ssh-rsa AAAA me\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        return {
            name: plan_appliance(read_file(FOLDER / f"{name}.yml"), "amd64", session)
            for name in EXAMPLES
        }
