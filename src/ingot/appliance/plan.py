"""The root file system of an appliance as one value that every output writes.

Pure, but for the files of the host that `files: source` names.

Layout: LinuxKit's (`/containers/{onboot,onshutdown}/NNN-NAME`, `/containers/services/NAME`), with
our boot scripts' settings in `/etc/ingot` and supervised services in `/etc/service`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ingot.appliance import scripts
from ingot.appliance.bundle import Bundle, bind_destinations, make_bundle, mount_points
from ingot.appliance.hardware import (
    CARDS_LABEL,
    DISKS_LABEL,
    TABLE,
    Driver,
    ModuleOrder,
    read_drivers,
    render_table,
)
from ingot.appliance.kernels import KernelFiles, Unpack, kernel_files
from ingot.appliance.laid import add_files, add_volumes
from ingot.appliance.machinery import (
    HOOKS_FOLDER,
    VOLUMES_STEP,
    hook_script,
    interface_modules,
    needs_hook,
    volumes_script,
)
from ingot.appliance.rootfs import add_init, image_root
from ingot.appliance.runtime import config_json, hooked_config_json, runtime_json
from ingot.appliance.settings import Settings
from ingot.appliance.spec import Appliance, Container, Kernel
from ingot.base.errors import UsageError
from ingot.oci.image import Image
from ingot.oci.tree import Content, Entry, Tree, directory, file, symlink

KERNEL_IMAGE = "component:kernel"
FORMAT_IMAGE = "component:format"
MOUNT_IMAGE = "component:mount"
LOG_FOLDER = ".log"
"""Of a data disk; root's own, in a folder that may belong to a service."""
MODULES_LABEL = "ingot.modules"
EARLY_MODULES_LABEL = "ingot.modules.early"
ROOT_MODULES_LABEL = "ingot.modules.root"
MODULE_LIST = "etc/ingot/modules"

# Ours, and that of LinuxKit's init images.
_RUNTIMES = ("usr/bin/crun", "usr/bin/runc")
_PROFILE = "usr/share/containers/seccomp.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything an output needs.

    Attributes:
        arch: Debian's name of the architecture.
        root: the root file system, the kernel in `boot/`.
        kernel: the kernel's bytes, where there is one.
        ucode: microcode of processors, which stands before the RAM disk.
        early_modules: paths in `root` of the modules the initial RAM disk inserts, in order.
        root_modules: what it inserts instead to reach a root on a disk, in order; not in `root`.
        disks: drivers that reach a disk, of which a machine inserts those it has devices for.
        cards: the same for network cards.
        services: names, in the order of their start.
    """

    name: str
    arch: str
    root: Tree
    kernel: Content | None
    ucode: Content | None
    cmdline: str
    early_modules: tuple[str, ...]
    root_modules: tuple[Entry, ...]
    disks: tuple[Driver, ...]
    cards: tuple[Driver, ...]
    services: tuple[str, ...]


def with_platform(appliance: Appliance, platform: str | None = None) -> Appliance:
    """Return the appliance with the kernel for its machines in the place of the shipped one.

    Args:
        appliance: a kernel of its own stays.
        platform: overrules the appliance file's.
    """
    kernel = appliance.kernel
    wanted = platform or appliance.platform
    if kernel is None or kernel.image != KERNEL_IMAGE or wanted != "generic":
        return appliance
    return replace(appliance, kernel=replace(kernel, image=f"{KERNEL_IMAGE}-{wanted}"))


def with_data_steps(appliance: Appliance) -> Appliance:
    """Return the appliance with its `data` disks written out as the first onboot steps."""
    steps: list[Container] = []
    for index, disk in enumerate(appliance.data, start=1):
        number = "" if index == 1 else str(index)
        uid, gid = disk.owner
        mount = ("/usr/lib/ingot/mount", disk.label, disk.path, f"{uid}:{gid}")
        steps += (
            _step(f"format{number}", FORMAT_IMAGE, "/usr/lib/ingot/format", disk.label),
            _step(f"mount{number}", MOUNT_IMAGE, *mount),
        )
    return replace(appliance, onboot=(*steps, *appliance.onboot))


def image_references(appliance: Appliance) -> list[str]:
    """Return every image the appliance names, once, in the order of the file."""
    references = [appliance.kernel.image] if appliance.kernel else []
    references += appliance.init
    references += [v.image for v in appliance.volumes if v.image and v.format == "filesystem"]
    for container in (*appliance.onboot, *appliance.onshutdown, *appliance.services):
        references.append(container.image)
    return list(dict.fromkeys(references))


def make_plan(
    appliance: Appliance,
    images: Mapping[str, Image],
    *,
    arch: str,
    module_order: ModuleOrder,
    unpack: Unpack,
    layouts: Mapping[str, Tree] = MappingProxyType({}),
) -> Plan:
    """Lay images, containers, boot settings and files into one tree, in LinuxKit's order.

    Args:
        appliance: with its data steps written out.
        images: by reference, all that `image_references` names.
        arch: Debian's name of the architecture.
        module_order: closes a list of kernel modules over what they need.
        unpack: returns the entries of a tar archive.
        layouts: the OCI layouts of volumes, by the volume's name.

    Raises:
        UsageError: the appliance and its images do not fit together.
    """
    root = Tree()
    bundles = _Bundles(appliance, images)
    kernel = _Kernel()
    if appliance.kernel is not None:
        files = kernel_files(images[appliance.kernel.image], appliance.kernel, unpack)
        wanted = _wanted_modules(appliance, images, bundles)
        kernel = _add_kernel(root, appliance.kernel, files, wanted, module_order)
    add_init(root, [images[reference] for reference in appliance.init])
    if bundles.all and not any(root.resolve(path) for path in _RUNTIMES):
        names = " or ".join(f"/{path}" for path in _RUNTIMES)
        raise UsageError(
            f"{appliance.name}: containers need a runtime, and no init image has {names}",
            hint="add component:init to `init:`",
        )
    profile = root.resolve(_PROFILE)
    profile_bytes = profile.content.read() if profile and profile.content else None
    add_volumes(root, appliance.volumes, images, layouts)
    for bundle in bundles.all:
        _add_container(root, bundle, arch=arch, profile=profile_bytes)
    _add_settings(root, appliance, bundles)
    add_files(root, appliance)
    return Plan(
        name=appliance.name,
        arch=arch,
        root=root,
        kernel=kernel.binary,
        ucode=kernel.ucode,
        cmdline=appliance.kernel.cmdline if appliance.kernel else "",
        early_modules=kernel.early_modules,
        root_modules=kernel.root_modules,
        disks=kernel.disks,
        cards=kernel.cards,
        services=tuple(bundle.name for bundle in bundles.services),
    )


def module_list(paths: Sequence[str]) -> Entry:
    """Return the file that tells the boot which modules to insert, in order."""
    return file(MODULE_LIST, "".join(f"/{path}\n" for path in paths))


class _Bundles:
    """The containers of an appliance, by section."""

    def __init__(self, appliance: Appliance, images: Mapping[str, Image]) -> None:
        self._appliance = appliance
        self._images = images
        self.onboot = self._numbered("onboot", appliance.onboot)
        self.onshutdown = self._numbered("onshutdown", appliance.onshutdown)
        self.services = [
            self._bundle(container, f"containers/services/{container.name}")
            for container in appliance.services
        ]
        self.all = [*self.onboot, *self.onshutdown, *self.services]

    def _numbered(self, section: str, containers: tuple[Container, ...]) -> list[Bundle]:
        return [
            self._bundle(container, f"containers/{section}/{index:03d}-{container.name}")
            for index, container in enumerate(containers)
        ]

    def _bundle(self, container: Container, folder: str) -> Bundle:
        image = self._images[container.image]
        ids, volumes = self._appliance.ids, self._appliance.volumes
        return make_bundle(container.name, folder, image, container.settings, ids, volumes=volumes)


def _step(name: str, image: str, *command: str) -> Container:
    return Container(name, image, Settings(command=command))


@dataclass(frozen=True, slots=True)
class _Kernel:
    """What `Plan` says of the kernel."""

    binary: Content | None = None
    ucode: Content | None = None
    early_modules: tuple[str, ...] = ()
    root_modules: tuple[Entry, ...] = ()
    disks: tuple[Driver, ...] = ()
    cards: tuple[Driver, ...] = ()


def _wanted_modules(
    appliance: Appliance, images: Mapping[str, Image], bundles: _Bundles
) -> list[str]:
    """Return the names of the modules that images and interfaces need, each once."""
    wanted = [
        name
        for reference in image_references(appliance)
        for name in _module_names(images[reference], MODULES_LABEL)
    ]
    # Other kernels than ours load what they need themselves.
    if appliance.kernel and MODULES_LABEL in images[appliance.kernel.image].config.labels:
        wanted += [name for bundle in bundles.all for name in interface_modules(bundle)]
    return list(dict.fromkeys(wanted))


def _add_kernel(
    root: Tree, kernel: Kernel, files: KernelFiles, wanted: list[str], module_order: ModuleOrder
) -> _Kernel:
    """Add the kernel, its command line and the modules that are wanted."""
    image = files.image
    root.merge(files.root)
    root.add(Entry("boot/kernel", "file", 0o644, content=files.binary))
    root.add(file("boot/cmdline", kernel.cmdline))
    if files.ucode is not None:
        root.add(Entry("boot/ucode.cpio", "file", 0o644, content=files.ucode))
    early, for_root, later = (
        _modules(image, names, module_order)
        for names in (
            _module_names(image, EARLY_MODULES_LABEL),
            _module_names(image, ROOT_MODULES_LABEL),
            wanted,
        )
    )
    disks, cards = (read_drivers(image, lb, module_order) for lb in (DISKS_LABEL, CARDS_LABEL))
    drivers = (*disks, *cards)
    for module in (*early, *later, *(module for driver in drivers for module in driver.modules)):
        root.add(module)
    root.add(module_list([module.path for module in later if module not in early]))
    if drivers:
        root.add(file(TABLE, render_table(drivers, "")))
    paths = tuple(module.path for module in early)
    return _Kernel(files.binary, files.ucode, paths, for_root, disks, cards)


def _module_names(image: Image, label: str) -> list[str]:
    return image.config.labels.get(label, "").split()


def _modules(kernel: Image, names: Sequence[str], module_order: ModuleOrder) -> tuple[Entry, ...]:
    entries = [kernel.tree.get(path) for path in module_order(kernel.tree, names)]
    return tuple(entry for entry in entries if entry is not None)


def _add_container(root: Tree, bundle: Bundle, *, arch: str, profile: bytes | None) -> None:
    root.merge(_container_tree(root, bundle), bundle.tree_folder)
    config = config_json(bundle, arch=arch, profile=profile)
    root.add(file(f"{bundle.folder}/config.json", config))
    root.add(file(f"{bundle.folder}/runtime.json", runtime_json(bundle)))
    if not bundle.readonly:
        root.add(directory(bundle.scratch_folder))
        root.add(directory(f"{bundle.folder}/rootfs"))


def _container_tree(root: Tree, bundle: Bundle) -> Tree:
    """Return the image's files with the places that mounts need; a read-only root cannot grow."""
    tree = image_root(bundle.image)
    for path in mount_points(bundle):
        if tree.resolve(path) is None:
            tree.add(directory(path))
    for source, destination in bind_destinations(bundle):
        if tree.resolve(destination) is None:
            bound = root.get(source)
            is_file = bound is not None and bound.kind != "directory"
            tree.add(file(destination, "") if is_file else directory(destination))
    return tree


def _add_settings(root: Tree, appliance: Appliance, bundles: _Bundles) -> None:
    """Add what the boot scripts read: steps, services, stop order, name and address."""
    if appliance.volumes:
        folder = f"etc/ingot/onboot/{VOLUMES_STEP}"
        root.add(file(f"{folder}/run", volumes_script(appliance.volumes), 0o755))
        root.add(file(f"{folder}/command", "mount the volumes\n"))
    for section, steps in (("onboot", bundles.onboot), ("onshutdown", bundles.onshutdown)):
        root.add(directory(f"etc/ingot/{section}"))
        for bundle in steps:
            name = bundle.folder.rpartition("/")[2]
            script = scripts.step_script(bundle, f"{section}-{name}")
            root.add(file(f"etc/ingot/{section}/{name}/run", script, 0o755))
            command = shlex.join(bundle.command) + "\n"
            root.add(file(f"etc/ingot/{section}/{name}/command", command))
            _add_hook(root, bundle, f"{section}-{name}")
    for bundle in bundles.services:
        _add_service(root, bundle)
        _add_hook(root, bundle, bundle.name)
    root.add(file("etc/ingot/stop-order", scripts.stop_order(bundles.services)))
    root.add(file("etc/ingot/announced", scripts.announced(bundles.services)))
    for disk in appliance.data:
        if disk.logs:
            root.add(file("etc/ingot/logs", f"{disk.path}/{LOG_FOLDER}\n"))
    root.add(file("etc/hostname", f"{appliance.name}\n"))
    if appliance.network is not None:
        network = appliance.network
        words = (network.address, network.gateway or "", *network.dns)
        root.add(file("etc/ingot/address", ",".join(words) + "\n"))


def _add_service(root: Tree, bundle: Bundle) -> None:
    folder = f"etc/service/{bundle.name}"
    if folder in root:
        raise UsageError(
            f"the service {bundle.name!r} has the name of one that an init image brings",
            hint="give it another name",
        )
    root.add(file(f"{folder}/run", scripts.run_script(bundle), 0o755))
    root.add(file(f"{folder}/finish", scripts.finish_script(bundle), 0o755))
    root.add(file(f"{folder}/log/run", scripts.log_script(bundle), 0o755))
    root.add(file(f"etc/ingot/exec/{bundle.name}", scripts.exec_options(bundle)))
    # runit keeps its state here; the root file system is read-only.
    root.add(symlink(f"{folder}/supervise", f"/run/runit/{bundle.name}"))
    root.add(symlink(f"{folder}/log/supervise", f"/run/runit/{bundle.name}.log"))


def _add_hook(root: Tree, bundle: Bundle, container: str) -> None:
    """Add what our boot does with namespaces; LinuxKit's init reads it in runtime.json."""
    config = root.get(f"{bundle.folder}/config.json")
    if not needs_hook(bundle) or config is None or config.content is None:
        return
    hook = f"{HOOKS_FOLDER}/{container}"
    root.add(file(hook, hook_script(bundle), 0o755))
    root.add(file(f"{hook}.json", hooked_config_json(config.content.read(), f"/{hook}")))
