"""A container with every setting decided: appliance file, image labels, defaults. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ingot.appliance import capabilities
from ingot.appliance.keys.containers import container_fields, read_settings
from ingot.appliance.keys.volumes import Volume, with_volumes
from ingot.appliance.settings import INGOT_LABEL, LINUXKIT_LABEL, Actions, Mount, Settings
from ingot.base.document import Reader
from ingot.base.errors import UsageError
from ingot.oci.image import Image

COMPONENT_PREFIX = "component:"
HARDENED = Settings(
    readonly=True,
    no_new_privileges=True,
    seccomp="default",
    # The lists of Docker and containerd: what tells or changes too much about the whole machine.
    masked_paths=(
        "/proc/acpi",
        "/proc/asound",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/firmware",
    ),
    readonly_paths=("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"),
)
"""What a component is given unless it or the appliance file says otherwise."""

_BIND_OPTIONS = ("rw", "rbind", "rshared")
_QUIET = ("nosuid", "noexec", "nodev")
_PTS_OPTIONS = ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A container with every setting decided.

    Attributes:
        folder: where it stands in the root file system, such as `containers/services/store`.
        settings: YAML laid over the image's labels.
        user: numeric uid, gid and additional gids.
    """

    name: str
    folder: str
    image: Image
    settings: Settings
    user: tuple[int, int, tuple[int, ...]]

    @property
    def readonly(self) -> bool:
        """Whether the root file system is used as it is, without a writable layer."""
        return bool(self.settings.readonly)

    @property
    def tree_folder(self) -> str:
        """Where the image's files stand."""
        return f"{self.folder}/{'rootfs' if self.readonly else 'lower'}"

    @property
    def scratch_folder(self) -> str:
        """Where a writable layer is mounted."""
        return f"{self.folder}/tmp"  # noqa: S108 # LinuxKit's name, inside the image

    @property
    def command(self) -> tuple[str, ...]:
        """The program and its arguments."""
        config = self.image.config
        return self.settings.command or (config.entrypoint + config.cmd)

    @property
    def cgroup(self) -> str:
        """The control group below /sys/fs/cgroup, starting with a slash."""
        return self.settings.cgroups_path or f"/{self.folder.removeprefix('containers/')}"

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The bounding set."""
        return capabilities.expand((self.settings.capabilities or ()) + self.ambient)

    @property
    def actions(self) -> Actions:
        """What the machine does before the program starts."""
        return self.settings.actions or Actions()

    @property
    def ambient(self) -> tuple[str, ...]:
        """The ambient set."""
        return capabilities.expand(self.settings.ambient or ())


def make_bundle(
    name: str,
    folder: str,
    image: Image,
    settings: Settings,
    ids: Mapping[str, int],
    *,
    volumes: Sequence[Volume] = (),
) -> Bundle:
    """Decide a container's settings: YAML, else the image's labels, else defaults.

    The defaults are `HARDENED` for components, and LinuxKit's for every other image.

    `settings` are those of the YAML; `ids` numbers the names that uid and gid may use.

    Raises:
        DocumentError: a label of the image is wrong.
        UsageError: there is no command, or a user nobody knows.
    """
    decided = with_volumes(settings.over(_label_settings(image)), volumes, name)
    bundle = Bundle(
        name=name,
        folder=folder,
        image=image,
        settings=decided,
        user=(
            _number(decided.uid, ids, name),
            _number(decided.gid, ids, name),
            tuple(_number(gid, ids, name) for gid in decided.additional_gids or ()),
        ),
    )
    if decided.userns == "new" and not (decided.uid_mappings and decided.gid_mappings):
        raise UsageError(
            f"{name}: a new user namespace needs uidMappings and gidMappings",
            hint="such as uidMappings: [{hostID: 100000, containerID: 0, size: 65536}]",
        )
    if not bundle.command:
        raise UsageError(
            f"{name}: the image {image.reference} names no program to run",
            hint="add `command:` to its entry",
        )
    return bundle


def runtime_mounts(bundle: Bundle) -> tuple[Mount, ...]:
    """Return the mounts that make `rootfs`: itself, or a writable layer over the image."""
    folder = f"/{bundle.folder}"
    rootfs = f"{folder}/rootfs"
    if bundle.readonly:
        return (Mount(rootfs, "bind", rootfs, ("bind",)),)
    scratch = f"/{bundle.scratch_folder}"
    layers = f"lowerdir={folder}/lower", f"upperdir={scratch}/upper", f"workdir={scratch}/work"
    return (
        Mount(scratch, "tmpfs", "tmpfs"),
        Mount(scratch, "", "none", ("remount", "private")),
        Mount(rootfs, "overlay", "overlay", layers),
    )


def bind_destinations(bundle: Bundle) -> list[tuple[str, str]]:
    """Return (source, destination) of every bind mount, without leading slashes."""
    pairs = [
        (mount.source.lstrip("/"), mount.destination.lstrip("/"))
        for mount in container_mounts(bundle)
        if mount.type == "bind"
    ]
    return sorted(pairs)


def mount_points(bundle: Bundle) -> list[str]:
    """Return the places in the root for mounts that are no binds, without leading slashes."""
    places = [mount.destination for mount in container_mounts(bundle) if mount.type != "bind"]
    mounts = bundle.actions.mounts or ()
    places += [mount.destination for mount in mounts if not mount.destination.startswith("/")]
    return sorted(place.strip("/") for place in places)


def machine_place(bundle: Bundle, destination: str) -> str:
    """Return where the machine has a destination of `runtime`: relative ones are in the root."""
    return destination if destination.startswith("/") else f"/{bundle.folder}/rootfs/{destination}"


def _label_settings(image: Image) -> Settings:
    settings = HARDENED if image.reference.startswith(COMPONENT_PREFIX) else Settings()
    for label in (LINUXKIT_LABEL, INGOT_LABEL):
        text = image.config.labels.get(label)
        if not text:
            continue
        reader = Reader(f"{image.reference} label {label}", paths=True)
        root = reader.compose(text)
        nodes = container_fields(reader, root) if root is not None else {}
        found = read_settings(reader, nodes)
        reader.finish()
        settings = found.over(settings)
    return settings


def _number(value: int | str | None, ids: Mapping[str, int], name: str) -> int:
    if value is None or value in {"", "root"}:
        return 0
    if isinstance(value, int):
        return value
    if value not in ids:
        raise UsageError(
            f"{name}: {value!r} is neither a number nor the name of a container of this file"
        )
    return ids[value]


def container_mounts(bundle: Bundle) -> list[Mount]:
    """Return the container's mounts, the usual ones overridden by destination, parents first."""
    settings = bundle.settings
    ro = ("ro",) if bundle.readonly else ()
    # Of our own components only: every other image gets the mounts that LinuxKit gives it.
    is_locked = bool(settings.no_new_privileges) and bundle.image.reference.startswith(
        COMPONENT_PREFIX
    )
    locked = ("noexec",) if is_locked else ()
    by_destination = {
        mount.destination: mount
        for mount in (
            Mount("/proc", "proc", "proc", (*_QUIET, "relatime")),
            Mount(
                "/dev",
                "tmpfs",
                "tmpfs",
                ("nosuid", *locked, "strictatime", "mode=755", "size=65536k", *ro),
            ),
            Mount("/dev/pts", "devpts", "devpts", _PTS_OPTIONS),
            Mount("/sys", "sysfs", "sysfs", (*_QUIET, *ro)),
            Mount("/sys/fs/cgroup", "cgroup", "cgroup", (*_QUIET, "relatime", "ro")),
        )
    }
    own = [_bind(text) for text in settings.binds or ()]
    own += [_tmpfs(text) for text in settings.tmpfs or ()]
    if is_locked:
        own = [_quiet(mount) for mount in own]
    own += settings.mounts or ()
    for mount in own:
        by_destination[mount.destination] = mount
        if mount.destination == "/dev":
            # The host's own /dev comes with everything below it.
            by_destination.pop("/dev/pts", None)
    # A mount must not hide one that lies deeper, in whatever order they are listed.
    return sorted(by_destination.values(), key=_depth)


def _depth(mount: Mount) -> int:
    return len([part for part in mount.destination.split("/") if part not in {"", "."}])


def _bind(text: str) -> Mount:
    source, destination, *given = text.split(":")
    options = ("rbind", *given[0].split(",")) if given else _BIND_OPTIONS
    return Mount(destination, "bind", source, tuple(dict.fromkeys(options)))


def _quiet(mount: Mount) -> Mount:
    """Return the mount so that nothing in it can be run, if it can be written to.

    The kernel does not pass these options on from the place that is bound; `exec`, `suid` and `dev`
    in the list keep a right. Device nodes below /dev are what they are bound for.
    """
    if "ro" in mount.options:
        return mount
    device = (mount.source == "/dev" or mount.source.startswith("/dev/")) and mount.type == "bind"
    wanted = [
        option
        for option in _QUIET
        if option.removeprefix("no") not in mount.options and not (device and option == "nodev")
    ]
    return replace(mount, options=tuple(dict.fromkeys((*mount.options, *wanted))))


def _tmpfs(text: str) -> Mount:
    destination, _, options = text.partition(":")
    return Mount(destination, "tmpfs", "tmpfs", tuple(options.split(",")) if options else ())
