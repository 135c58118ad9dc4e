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
from ingot.appliance.keys.datadisks import DataDisk
from ingot.appliance.keys.network import network_lines
from ingot.appliance.laid import add_files, add_volumes
from ingot.appliance.linuxkit import found_containers
from ingot.appliance.machinery import (
    HOOKS_FOLDER,
    VOLUMES_STEP,
    hook_script,
    interface_modules,
    needs_hook,
    volumes_script,
)
from ingot.appliance.modules import (
    EARLY_MODULES_LABEL,
    MODULES_LABEL,
    ROOT_MODULES_LABEL,
    module_list,
    module_names,
    modules_of,
    optional_modules,
    wanted_modules,
)
from ingot.appliance.rootfs import add_init, image_root
from ingot.appliance.runtime import config_json, hooked_config_json, runtime_json
from ingot.appliance.spec import Appliance, Container, Kernel
from ingot.base.errors import UsageError
from ingot.oci.image import Image
from ingot.oci.tree import Content, Entry, Tree, directory, file, symlink

KERNEL_IMAGE = "component:kernel"
LOG_FOLDER, KEPT_FOLDER = ".log", ".kept"
"""Of a data disk; root's own, in a folder that may belong to a service."""
LOG_PLACE = "/var/log"

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
        appliance: with its additions written out.
        images: by reference, all that `image_references` names.
        arch: Debian's name of the architecture.
        module_order: closes a list of kernel modules over what they need.
        unpack: returns the entries of a tar archive.
        layouts: the OCI layouts of volumes, by the volume's name.

    Raises:
        UsageError: the appliance and its images do not fit together.
    """
    root, laid = Tree(), Tree()
    add_init(laid, [images[reference] for reference in appliance.init])
    bundles = _Bundles(appliance, images, found_containers(laid))
    kernel = _Kernel()
    if appliance.kernel is not None:
        own = images[appliance.kernel.image]
        files = kernel_files(own, appliance.kernel, unpack)
        unpacked = {**images, appliance.kernel.image: files.image}
        wanted = wanted_modules(appliance, unpacked)
        # What other kernels than ours have built in, nobody knows here.
        if MODULES_LABEL in own.config.labels:
            wanted += [name for bundle in bundles.all for name in interface_modules(bundle)]
        optional = optional_modules(appliance, unpacked, module_order)
        kernel = _add_kernel(
            root, appliance.kernel, files, module_order, wanted=wanted, optional=optional
        )
    root.merge(laid)
    if bundles.all and not any(root.resolve(path) for path in _RUNTIMES):
        names = " or ".join(f"/{path}" for path in _RUNTIMES)
        raise UsageError(
            f"{appliance.name}: containers need a runtime, and no init image has {names}",
            hint="add component:init to `init:`",
        )
    profile = root.resolve(_PROFILE)
    profile_bytes = profile.content.read() if profile and profile.content else None
    add_volumes(root, appliance.volumes, images, layouts)
    for bundle in bundles.own:
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


class _Bundles:
    """The containers of an appliance, by section: those that init images brought, then its own."""

    def __init__(
        self,
        appliance: Appliance,
        images: Mapping[str, Image],
        brought: Mapping[str, Sequence[Bundle]],
    ) -> None:
        self._appliance = appliance
        self._images = images
        onboot = self._numbered("onboot", appliance.onboot)
        onshutdown = self._numbered("onshutdown", appliance.onshutdown)
        services = [
            self._bundle(container, f"containers/services/{container.name}")
            for container in appliance.services
        ]
        self.own = [*onboot, *onshutdown, *services]
        self.onboot = [*brought["onboot"], *onboot]
        self.onshutdown = [*brought["onshutdown"], *onshutdown]
        self.services = [*brought["services"], *services]
        self.all = [*self.onboot, *self.onshutdown, *self.services]
        folders: set[str] = set()
        for bundle in self.all:
            if bundle.folder in folders:
                raise UsageError(
                    f"an init image has a container of its own at /{bundle.folder}",
                    hint="give that of the appliance file another name",
                )
            folders.add(bundle.folder)

    def _numbered(self, section: str, containers: tuple[Container, ...]) -> list[Bundle]:
        return [
            self._bundle(container, f"containers/{section}/{index:03d}-{container.name}")
            for index, container in enumerate(containers)
        ]

    def _bundle(self, container: Container, folder: str) -> Bundle:
        image = self._images[container.image]
        ids, volumes = self._appliance.ids, self._appliance.volumes
        return make_bundle(container.name, folder, image, container.settings, ids, volumes=volumes)


@dataclass(frozen=True, slots=True)
class _Kernel:
    """What `Plan` says of the kernel."""

    binary: Content | None = None
    ucode: Content | None = None
    early_modules: tuple[str, ...] = ()
    root_modules: tuple[Entry, ...] = ()
    disks: tuple[Driver, ...] = ()
    cards: tuple[Driver, ...] = ()


def _add_kernel(
    root: Tree,
    kernel: Kernel,
    files: KernelFiles,
    module_order: ModuleOrder,
    *,
    wanted: Sequence[str],
    optional: Sequence[Entry],
) -> _Kernel:
    """Add the kernel, its command line and the modules that are wanted."""
    image = files.image
    root.merge(files.root)
    root.add(Entry("boot/kernel", "file", 0o644, content=files.binary))
    root.add(file("boot/cmdline", kernel.cmdline))
    if files.ucode is not None:
        root.add(Entry("boot/ucode.cpio", "file", 0o644, content=files.ucode))
    early, for_root, later = (
        modules_of(image, names, module_order)
        for names in (
            module_names(image, EARLY_MODULES_LABEL),
            module_names(image, ROOT_MODULES_LABEL),
            list(dict.fromkeys(wanted)),
        )
    )
    disks, cards = (read_drivers(image, lb, module_order) for lb in (DISKS_LABEL, CARDS_LABEL))
    drivers = (*disks, *cards)
    driving = [module for driver in drivers for module in driver.modules]
    for module in (*early, *later, *optional, *driving):
        root.add(module)
    known = {module.path for module in (*early, *later)}
    root.add(
        module_list(
            [module.path for module in later if module not in early],
            [module.path for module in optional if module.path not in known],
        )
    )
    if drivers:
        root.add(file(TABLE, render_table(drivers, "")))
    paths = tuple(module.path for module in early)
    return _Kernel(files.binary, files.ucode, paths, for_root, disks, cards)


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
    if appliance.data:
        root.add(file("etc/ingot/kept", _kept(appliance.data, bundles.services)))
    network = appliance.network
    root.add(file("etc/hostname", f"{(network and network.hostname) or appliance.name}\n"))
    root.add(file("etc/ingot/network", network_lines(network) if network else ""))


def _kept(disks: Sequence[DataDisk], services: Sequence[Bundle]) -> str:
    """Return a line `TOP FOLDER PLACE` for each folder of the machine that is on a disk."""
    lines = [f"{disk.path}/{LOG_FOLDER} . {LOG_PLACE}" for disk in disks if disk.logs]
    disk = next((disk for disk in disks if disk.logs), disks[0])
    places = dict.fromkeys(place for bundle in services for place in bundle.settings.kept or ())
    lines += [f"{disk.path}/{KEPT_FOLDER} {place.lstrip('/')} {place}" for place in places]
    return "".join(f"{line}\n" for line in lines)


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
