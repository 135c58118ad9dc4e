"""The root file system: LinuxKit's layout, places for mounts, boot settings, files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ingot.appliance.additions import with_additions
from ingot.appliance.modules import image_references
from ingot.appliance.plan import Plan
from ingot.appliance.spec import Appliance
from ingot.base.errors import Error, NotFoundError, UsageError
from ingot.oci.image import Image
from ingot.oci.tarball import TarballError
from ingot.oci.tree import directory, file
from ingot.testing.images import member, tar_of

MakePlan = Callable[[str], Plan]
Parse = Callable[[str], Appliance]

INIT = "kernel: {image: component:kernel, cmdline: quiet}\ninit: [component:init]\n"
WEB = f"{INIT}services: [{{name: web, image: component:app}}]\n"


def text(plan: Plan, path: str) -> str:
    entry = plan.root.get(path)
    assert entry is not None, f"{path} is not in {[entry.path for entry in plan.root]}"
    assert entry.content is not None, path
    return entry.content.read().decode()


def test_a_container_stands_where_linuxkit_puts_it(make: MakePlan) -> None:
    plan = make(
        f"{INIT}onboot:\n"
        "- {name: one, image: component:app}\n- {name: two, image: component:app}\n"
        "onshutdown: [{name: end, image: component:app}]\n"
        "services: [{name: web, image: component:app, readonly: false}]\n"
    )
    for folder in ("onboot/000-one", "onboot/001-two", "onshutdown/000-end"):
        assert text(plan, f"containers/{folder}/rootfs/bin/app") == "app"
    web = "containers/services/web"
    assert text(plan, f"{web}/lower/bin/app") == "app"
    assert {f"{web}/rootfs", f"{web}/tmp"} <= {e.path for e in plan.root if e.kind == "directory"}
    assert json.loads(text(plan, f"{web}/config.json"))["root"]["path"] == "rootfs"
    overlay = json.loads(text(plan, f"{web}/runtime.json"))["mounts"][-1]
    assert overlay["type"] == "overlay"
    assert f"lowerdir=/{web}/lower" in overlay["options"]


def test_the_kernel_is_split_out_with_the_modules_it_names(make: MakePlan) -> None:
    plan = make(INIT)
    assert plan.kernel is not None
    assert plan.kernel.read() == b"kernel"
    assert text(plan, "boot/cmdline") == plan.cmdline == "quiet"
    assert plan.early_modules == ("usr/lib/modules/6.1/kernel/loop.ko",)
    assert text(plan, "etc/ingot/modules") == "/usr/lib/modules/6.1/kernel/net.ko\n"
    assert "usr/lib/modules/6.1/kernel/other.ko" not in plan.root


def test_the_kernel_s_binary_may_have_linuxkit_s_name(
    make: MakePlan, make_image: Callable[..., Image], images: dict[str, Image]
) -> None:
    images["component:kernel"] = make_image("component:kernel", files={"bzImage": "big"})
    plan = make("kernel: {image: component:kernel, binary: bzImage, tar: none}")
    assert plan.kernel is not None
    assert plan.kernel.read() == b"big"
    with pytest.raises(NotFoundError, match="no kernel named kernel"):
        make("kernel: {image: component:kernel}")
    with pytest.raises(NotFoundError, match=r"no file kernel\.tar, which `kernel\.tar` names"):
        make("kernel: {image: component:kernel, binary: bzImage}")


def test_of_linuxkit_s_kernels_only_the_named_files_are_taken(
    make: MakePlan, make_image: Callable[..., Image], images: dict[str, Image]
) -> None:
    archive = tar_of(
        *(member(path) for path in ("./", "./lib", "./lib/modules")),
        member("lib/modules/6.12/extra.ko", b"module"),
    )
    image = make_image("example/kernel", files={"kernel": "elf", "kernel-dev.tar": "headers"})
    image.tree.add(file("kernel.tar", archive))
    image.tree.add(file("intel-ucode.cpio", b"070701microcode"))
    images["example/kernel"] = image
    plan = make("kernel: {image: example/kernel, ucode: intel-ucode.cpio}")
    assert plan.kernel is not None
    assert plan.kernel.read() == b"elf"
    assert plan.ucode is not None
    assert text(plan, "boot/ucode.cpio") == plan.ucode.read().decode() == "070701microcode"
    assert text(plan, "lib/modules/6.12/extra.ko") == "module"
    assert "kernel.tar" not in plan.root
    assert "kernel-dev.tar" not in plan.root


def test_containers_add_the_modules_they_need(
    make: MakePlan, make_image: Callable[..., Image], images: dict[str, Image]
) -> None:
    images["component:app"] = make_image(labels={"ingot.modules": "other net"})
    plan = make(f"{INIT}services: [{{name: web, image: component:app}}]")
    folder = "/usr/lib/modules/6.1/kernel"
    assert text(plan, "etc/ingot/modules") == f"{folder}/net.ko\n{folder}/other.ko\n"
    assert "usr/lib/modules/6.1/kernel/other.ko" in plan.root


def test_two_kernels_in_an_image_are_one_too_many(
    make: MakePlan, make_image: Callable[..., Image], images: dict[str, Image]
) -> None:
    files = {"boot/vmlinuz-6.1": "a", "boot/vmlinuz-6.2": "b"}
    images["component:kernel"] = make_image("component:kernel", files=files)
    with pytest.raises(UsageError, match="has 2 kernels"):
        make("kernel: {image: component:kernel}")


def test_mounts_find_their_places_in_a_read_only_root(make: MakePlan) -> None:
    plan = make(
        f"{INIT}services: [{{name: web, image: component:app, tmpfs: [/scratch],"
        " binds: ['/var/data:/data', '/etc/resolv.conf:/run/dns.conf']}]"
    )
    root = "containers/services/web/rootfs"
    kinds = {entry.path: entry.kind for entry in plan.root}
    assert kinds[f"{root}/data"] == kinds[f"{root}/scratch"] == kinds[f"{root}/proc"] == "directory"
    assert kinds[f"{root}/run/dns.conf"] == kinds[f"{root}/etc/resolv.conf"] == "file"


def test_left_overs_of_image_builders_are_dropped(make: MakePlan) -> None:
    plan = make(WEB)
    assert "containers/services/web/rootfs/etc/hostname" not in plan.root
    assert "localhost" in text(plan, "containers/services/web/rootfs/etc/hosts")


def test_a_service_is_supervised_with_its_state_outside_the_image(make: MakePlan) -> None:
    plan = make(WEB)
    for script in ("run", "finish", "log/run"):
        entry = plan.root.get(f"etc/service/web/{script}")
        assert entry is not None
        assert entry.mode == 0o755
    supervise = plan.root.get("etc/service/web/supervise")
    assert supervise is not None
    assert supervise.link == "/run/runit/web"


def test_the_boot_finds_steps_order_and_name(make: MakePlan) -> None:
    plan = make(
        f"{INIT}onboot: [{{name: one, image: component:app, command: [/bin/say, a b]}}]\n"
        "network: {address: 10.0.0.2/8, dns: [1.1.1.1]}\n"
        "services:\n- {name: net, image: component:hardened}\n"
        "- {name: web, image: component:app, depends: [net], stop-timeout: 7s}\n"
    )
    assert text(plan, "etc/ingot/onboot/000-one/command") == "/bin/say 'a b'\n"
    assert "crun run" in text(plan, "etc/ingot/onboot/000-one/run")
    assert text(plan, "etc/ingot/stop-order") == "web 7\nnet 3\n"
    assert text(plan, "etc/ingot/announced") == "web\n"
    assert text(plan, "etc/ingot/exec/net") == "--user 1000:0 --no-new-privs\n"
    assert text(plan, "etc/ingot/network") == "up - eth0\naddress 10.0.0.2/8 eth0\ndns 1.1.1.1\n"
    assert text(plan, "etc/hostname") == "test\n"
    assert plan.services == ("net", "web")


def test_the_data_disk_becomes_the_first_two_steps(make: MakePlan) -> None:
    plan = make(
        f"{INIT}data: {{label: D, uid: 5, gid: 6}}\nonboot: [{{name: one, image: component:app}}]\n"
    )
    commands = [
        text(plan, f"etc/ingot/onboot/{step}/command")
        for step in ("000-format", "001-mount", "002-one")
    ]
    assert commands == [
        "/usr/lib/ingot/format D\n",
        "/usr/lib/ingot/mount D /var/data 5:6\n",
        "/bin/app\n",
    ]
    assert text(plan, "etc/ingot/kept") == "/var/data/.log . /var/log\n"


def test_what_services_have_kept_is_on_the_disk_with_the_logs(make: MakePlan) -> None:
    services = (
        "services:\n"
        "  - {name: a, image: component:app, kept: [/run/sshd, /var/lib/a]}\n"
        "  - {name: b, image: component:app, kept: [/run/sshd]}\n"
    )
    disks = "data: [{{label: A, path: /var/a, logs: {}}}, {{label: B, path: /var/b, logs: {}}}]\n"

    def kept(*logs: str) -> str:
        return text(make(INIT + disks.format(*logs) + services), "etc/ingot/kept")

    assert kept("false", "true") == (
        "/var/b/.log . /var/log\n"
        "/var/b/.kept run/sshd /run/sshd\n"
        "/var/b/.kept var/lib/a /var/lib/a\n"
    )
    assert kept("false", "false").splitlines()[0] == "/var/a/.kept run/sshd /run/sshd"
    assert "etc/ingot/kept" not in make(INIT + services).root


def test_every_data_disk_has_steps_of_its_own(make: MakePlan) -> None:
    plan = make(
        f"{INIT}data: [{{label: A, path: /var/a, logs: false}}, {{label: B, path: /var/b}}]\n"
    )
    commands = [
        text(plan, f"etc/ingot/onboot/{step}/command")
        for step in ("000-format", "001-mount", "002-format2", "003-mount2")
    ]
    assert commands == [
        "/usr/lib/ingot/format A\n",
        "/usr/lib/ingot/mount A /var/a 0:0\n",
        "/usr/lib/ingot/format B\n",
        "/usr/lib/ingot/mount B /var/b 0:0\n",
    ]
    assert text(plan, "etc/ingot/kept") == ""


def test_every_image_is_named_once(parse: Parse) -> None:
    appliance = with_additions(parse(WEB + "data: {}\nonboot: [{name: a, image: component:app}]"))
    assert image_references(appliance) == [
        *("component:kernel", "component:init", "component:format", "component:mount"),
        "component:app",
    ]


def test_containers_need_a_runtime(make: MakePlan) -> None:
    with pytest.raises(UsageError, match="no init image has /usr/bin/crun"):
        make("services: [{name: a, image: component:app}]")


def test_a_service_must_not_take_the_name_of_one_of_the_system(
    make: MakePlan, images: dict[str, Image]
) -> None:
    images["component:init"].tree.add(directory("etc/service/web"))
    with pytest.raises(UsageError, match="has the name of one that an init image brings"):
        make(WEB)


def test_files_are_laid_over_everything(make: MakePlan, tmp_path: Path) -> None:
    (tmp_path / "source").write_text("from the host")
    plan = make(
        f"{WEB}files:\n- {{path: /etc/hostname, contents: mine, mode: '0644', uid: web, gid: 9}}\n"
        "- {path: etc/link, symlink: hostname}\n"
        "- {path: srv, directory: true, mode: '0750'}\n"
        f"- {{path: srv/copy, source: {tmp_path}/source}}\n"
        f"- {{path: srv/absent, source: {tmp_path}/absent, optional: true}}\n"
    )
    hostname = plan.root.get("etc/hostname")
    assert hostname is not None
    assert (hostname.mode, hostname.uid, hostname.gid) == (0o644, 100, 9)
    assert text(plan, "etc/hostname") == "mine"
    assert text(plan, "srv/copy") == "from the host"
    assert "srv/absent" not in plan.root
    folder = plan.root.get("etc")
    assert folder is not None
    assert folder.mode == 0o755, "a file's mode is not its folder's"


def test_missing_folders_take_mode_and_owner_of_the_file_that_needs_them(make: MakePlan) -> None:
    plan = make(
        f"{WEB}files:\n- {{path: root/.ssh/authorized_keys, contents: key, uid: 7}}\n"
        "- {path: srv/www/index.html, contents: hi, mode: '0644'}\n"
    )
    found = {entry.path: (entry.mode, entry.uid) for entry in plan.root}
    assert found["root/.ssh"] == (0o700, 7)
    assert found["root/.ssh/authorized_keys"] == (0o600, 7)
    assert found["srv"] == found["srv/www"] == (0o755, 0)


def test_the_appliance_file_may_be_a_file_of_the_image(make: MakePlan) -> None:
    plan = make(
        "# how it was made\nfiles:\n- {path: etc/image.yml, metadata: yaml}\n"
        "- path: etc/image.json\n  metadata: json\n"
    )
    assert text(plan, "etc/image.yml") == (
        "files:\n- path: etc/image.yml\n  metadata: yaml\n"
        "- path: etc/image.json\n  metadata: json\n"
    )
    assert json.loads(text(plan, "etc/image.json"))["files"][0]["metadata"] == "yaml"


def test_a_folder_is_no_source(make: MakePlan, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no regular file"):
        make(f"files: [{{path: a, source: {tmp_path}, optional: true}}]")


def test_a_kernel_s_archive_must_not_climb_out(
    make: MakePlan, make_image: Callable[..., Image], images: dict[str, Image]
) -> None:
    image = make_image("example/kernel", files={"kernel": "elf"})
    image.tree.add(file("kernel.tar", tar_of(member("../../etc/passwd", b"root"))))
    images["example/kernel"] = image
    with pytest.raises(TarballError):
        make("kernel: {image: example/kernel}")


def test_of_a_kernel_without_labels_the_modules_that_the_boot_needs_are_taken(
    make: MakePlan, make_image: Callable[..., Image], images: dict[str, Image]
) -> None:
    folder = "usr/lib/modules/6.1/kernel"
    names = ("loop", "squashfs", "virtio_net", "unknown")
    archive = tar_of(*(member(f"{folder}/{name}.ko", b"elf") for name in names))
    image = make_image("example/kernel", files={"kernel": "elf"})
    image.tree.add(file("kernel.tar", archive))
    images["example/kernel"] = image
    plan = make("kernel: {image: example/kernel}")
    assert plan.early_modules == (f"{folder}/loop.ko", f"{folder}/squashfs.ko")
    assert text(plan, "etc/ingot/modules") == f"/{folder}/virtio_net.ko\n"


def test_init_images_share_one_package_list_and_the_machine_s_resolver(
    make: MakePlan, make_image: Callable[..., Image], images: dict[str, Image]
) -> None:
    for name in ("one", "two"):
        files = {"lib/apk/db/installed": f"P:{name}\n\n", "etc/hostname": name, ".dockerenv": ""}
        images[f"example/{name}"] = make_image(f"example/{name}", files=files)
    plan = make("init: [example/one, example/two]")
    assert text(plan, "lib/apk/db/installed") == "P:one\n\nP:two\n\n"
    assert text(plan, "etc/hostname") == "test\n"
    assert ".dockerenv" not in plan.root
    links = {entry.path: entry.link for entry in plan.root if entry.kind == "symlink"}
    assert links == {"etc/mtab": "/proc/mounts", "etc/resolv.conf": "/run/resolvconf/resolv.conf"}


VOLUMES = """
volumes:
  - {name: pages, image: component:app, readonly: true}
  - {name: scratch}
services:
  - {name: web, image: component:app, binds: ["pages:/srv:ro", "scratch:/work"],
     mounts: [{type: bind, source: scratch, destination: /more, options: [rbind]}]}
"""


def test_volumes_stand_where_linuxkit_puts_them_and_are_bound_by_name(make: MakePlan) -> None:
    plan = make(INIT + VOLUMES)
    folder = "containers/volumes"
    kinds = {entry.path: entry.kind for entry in plan.root if entry.path.startswith(folder)}
    assert text(plan, f"{folder}/pages/lower/bin/app") == "app"
    for name in ("pages", "scratch"):
        assert {kinds[f"{folder}/{name}/{part}"] for part in ("lower", "tmp", "merged")} == {
            "directory"
        }
    mounts = json.loads(text(plan, "containers/services/web/config.json"))["mounts"]
    sources = {m["destination"]: m["source"] for m in mounts if m["type"] == "bind"}
    assert sources == {
        "/srv": f"/{folder}/pages/merged",
        "/work": f"/{folder}/scratch/merged",
        "/more": f"/{folder}/scratch/merged",
    }
    script = text(plan, "etc/ingot/onboot/00-volumes/run").splitlines()
    assert f"mount -o remount,bind,ro /{folder}/pages/merged" in script
    assert f"mkdir /{folder}/scratch/tmp/upper /{folder}/scratch/tmp/work" in script


def test_the_step_of_the_volumes_comes_before_every_other(make: MakePlan) -> None:
    plan = make(f"{INIT}{VOLUMES}onboot: [{{name: 0, image: component:app}}]")
    folder = "etc/ingot/onboot/"
    steps = sorted(
        e.path for e in plan.root if e.path.startswith(folder) and e.path.count("/") == 3
    )
    assert [step.removeprefix(folder) for step in steps] == ["00-volumes", "000-0"]


def test_namespaces_are_seen_to_by_a_hook_of_our_own(
    make: MakePlan,
) -> None:
    plan = make(
        f"{INIT}onboot:\n- name: wg\n  image: component:app\n  net: new\n  runtime:\n"
        "    interfaces: [{name: other, add: other, createInRoot: true}]\n"
        "    bindNS: {net: /run/netns/wg}\n"
    )
    bundle = "containers/onboot/000-wg"
    assert "hooks" not in json.loads(text(plan, f"{bundle}/config.json"))
    runtime = json.loads(text(plan, f"{bundle}/runtime.json"))
    assert runtime["interfaces"] == [
        {"name": "other", "add": "other", "peer": "", "createInRoot": True}
    ]
    assert runtime["bindNS"]["net"] == "/run/netns/wg"
    hook = "etc/ingot/hooks/onboot-000-wg"
    config = json.loads(text(plan, f"{hook}.json"))
    assert [run["path"] for run in config["hooks"]["createRuntime"]] == [f"/{hook}"]
    assert f"--config /{hook}.json" in text(plan, "etc/ingot/onboot/000-wg/run")
    modules = text(plan, "etc/ingot/modules").splitlines()
    assert "/usr/lib/modules/6.1/kernel/other.ko" in modules


def test_numbers_follow_the_file_whatever_we_add(make: MakePlan) -> None:
    plan = make(
        f"{INIT}data: {{}}\nonboot: [{{name: one, image: component:app}}]\n"
        "onshutdown: [{name: end, image: component:app}]\n"
        "services:\n- {name: z, image: component:app, depends: [a]}\n"
        "- {name: a, image: component:app}\n"
        "files:\n"
        + "".join(
            f"- {{path: {name}, contents: '', uid: {name}}}\n" for name in ("one", "end", "z", "a")
        )
    )
    owners = {entry.path: entry.uid for entry in plan.root}
    assert [owners[name] for name in ("one", "end", "z", "a")] == [100, 101, 102, 103]


def test_a_missing_source_is_an_error(make: MakePlan, tmp_path: Path) -> None:
    with pytest.raises(Error, match="No such file"):
        make(f"files: [{{path: a, source: {tmp_path}/absent}}]")


def test_an_unknown_owner_is_an_error(make: MakePlan) -> None:
    with pytest.raises(UsageError, match="'web' is no number and no container"):
        make("files: [{path: a, contents: b, uid: web}]")
