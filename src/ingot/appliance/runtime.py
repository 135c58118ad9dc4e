"""Renders what a container runtime reads: config.json (OCI) and runtime.json (LinuxKit). Pure.

Layout and defaults are LinuxKit's, so its init can run our containers too.
"""

from __future__ import annotations

import json

from ingot.appliance import capabilities
from ingot.appliance.bundle import Bundle, container_mounts, runtime_mounts
from ingot.appliance.seccomp import convert_profile
from ingot.appliance.settings import (
    NAMESPACE_KINDS,
    Device,
    IdMapping,
    Interface,
    Mount,
    Settings,
)
from ingot.base.errors import UsageError

_OCI_VERSION = "1.0.2"
_UNLIMITED = 2**64 - 1


def config_json(bundle: Bundle, *, arch: str, profile: bytes | None) -> bytes:
    """Render the OCI runtime configuration of `bundle`.

    `arch` is Debian's name of the architecture; `profile` the default seccomp profile, where the
    init images bring one.

    Raises:
        UsageError: the container wants the profile and there is none.
    """
    settings = bundle.settings
    document: dict[str, object] = {
        "ociVersion": _OCI_VERSION,
        "process": _process(bundle),
        "root": {"path": "rootfs", "readonly": bundle.readonly},
        "mounts": [_mount(mount) for mount in container_mounts(bundle)],
        "linux": _linux(bundle, arch=arch, profile=profile),
    }
    if settings.hostname:
        document["hostname"] = settings.hostname
    if settings.annotations:
        document["annotations"] = dict(settings.annotations)
    return _json(document)


def hooked_config_json(config: bytes, hook: str) -> bytes:
    """Return a configuration that has the machine's program `hook` run before the start.

    It is told which process the container is, as JSON on its standard input.
    """
    document: dict[str, object] = json.loads(config)
    hooks = {"path": hook, "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}
    return _json({**document, "hooks": {"createRuntime": [hooks]}})


def runtime_json(bundle: Bundle) -> bytes:
    """Render what LinuxKit's init does before it starts the container."""
    actions = bundle.actions
    places = dict.fromkeys(NAMESPACE_KINDS, "") | dict(actions.bind_namespaces or {})
    return _json(
        {
            "cgroups": list(actions.cgroups or ()),
            "mounts": [
                _mount(mount) for mount in (*runtime_mounts(bundle), *(actions.mounts or ()))
            ],
            "mkdir": list(actions.mkdir or ()),
            "interfaces": [_interface(interface) for interface in actions.interfaces or ()],
            "bindNS": places,
            "namespace": actions.namespace or "",
        }
    )


def _interface(interface: Interface) -> dict[str, object]:
    return {
        "name": interface.name,
        "add": interface.kind,
        "peer": interface.peer,
        "createInRoot": interface.in_root,
    }


def _process(bundle: Bundle) -> dict[str, object]:
    settings, config = bundle.settings, bundle.image.config
    uid, gid, more = bundle.user
    granted = capabilities.expand(settings.capabilities or ())
    process: dict[str, object] = {
        "terminal": False,
        "user": {"uid": uid, "gid": gid, "additionalGids": list(more)},
        "args": list(bundle.command),
        "env": _environment(settings.env if settings.env is not None else config.env, settings),
        "cwd": settings.cwd or config.working_dir or "/",
        "capabilities": {
            "bounding": list(bundle.capabilities),
            "permitted": list(bundle.capabilities),
            # The kernel keeps a capability ambient only while it is inheritable too.
            "inheritable": list(bundle.capabilities),
            "effective": list(granted),
            "ambient": list(bundle.ambient),
        },
        "noNewPrivileges": bool(settings.no_new_privileges),
    }
    if settings.oom_score_adj is not None:
        process["oomScoreAdj"] = settings.oom_score_adj
    if settings.rlimits:
        process["rlimits"] = [
            {
                "type": f"RLIMIT_{limit.name}",
                "soft": _UNLIMITED if limit.soft is None else limit.soft,
                "hard": _UNLIMITED if limit.hard is None else limit.hard,
            }
            for limit in settings.rlimits
        ]
    return process


def _environment(variables: tuple[str, ...], settings: Settings) -> list[str]:
    """Return the variables with those of `env.add`, which replace variables of the same name."""
    by_name = {text.partition("=")[0]: text for text in (*variables, *(settings.env_add or ()))}
    return list(by_name.values())


def _mount(mount: Mount) -> dict[str, object]:
    return {
        "destination": mount.destination,
        "type": mount.type,
        "source": mount.source,
        "options": list(mount.options),
    }


def _linux(bundle: Bundle, *, arch: str, profile: bytes | None) -> dict[str, object]:
    settings = bundle.settings
    document: dict[str, object] = {
        "namespaces": _namespaces(settings),
        "cgroupsPath": bundle.cgroup,
        "maskedPaths": list(settings.masked_paths or ()),
        "readonlyPaths": list(settings.readonly_paths or ()),
        "devices": [_device(d) for d in settings.devices or () if d.path != "all"],
    }
    if resources := _resources(bundle):
        document["resources"] = resources
    for key, mappings in (
        ("uidMappings", settings.uid_mappings),
        ("gidMappings", settings.gid_mappings),
    ):
        if mappings:
            document[key] = [_id_mapping(mapping) for mapping in mappings]
    if settings.sysctl:
        document["sysctl"] = dict(settings.sysctl)
    if settings.rootfs_propagation:
        document["rootfsPropagation"] = settings.rootfs_propagation
    if settings.seccomp == "default":
        if profile is None:
            raise UsageError(
                f"{bundle.name}: `seccomp: default` needs a profile, and no init image has one",
                hint="add component:init to `init:`, or give `seccomp: unconfined`",
            )
        document["seccomp"] = convert_profile(profile, arch=arch, capabilities=bundle.capabilities)
    return document


def _namespaces(settings: Settings) -> list[dict[str, str]]:
    """Return the namespaces that are not the host's; only mount and pid are new by default."""
    found = [{"type": "mount"}]
    wanted = {
        "pid": settings.pid or "new",
        "network": settings.net,
        "ipc": settings.ipc,
        "uts": settings.uts,
        "user": settings.userns,
    }
    for kind, value in wanted.items():
        if value in {"new", "none"}:
            found.append({"type": kind})
        elif value and value.startswith("/"):
            found.append({"type": kind, "path": value})
    return found


def _device(device: Device) -> dict[str, object]:
    return {
        "path": device.path,
        "type": device.type,
        "major": device.major,
        "minor": device.minor,
        "fileMode": device.mode,
    }


def _id_mapping(mapping: IdMapping) -> dict[str, object]:
    return {"hostID": mapping.host, "containerID": mapping.container, "size": mapping.size}


def _resources(bundle: Bundle) -> dict[str, object]:
    """Return the limits; rules for devices that are given come after our own."""
    limits = dict(bundle.settings.resources or {})
    more = limits.pop("devices", [])
    rules = _device_rules(bundle)
    if rules is not None or more:
        limits["devices"] = [*(rules or ()), *more]
    return limits


def _device_rules(bundle: Bundle) -> list[dict[str, object]] | None:
    """Allow the listed devices only; None leaves a container with the host's /dev alone."""
    devices = bundle.settings.devices or ()
    whole_dev = any(m.destination == "/dev" and m.type == "bind" for m in container_mounts(bundle))
    if whole_dev and not devices:
        return None
    rules: list[dict[str, object]] = [{"allow": False, "access": "rwm"}]
    for device in devices:
        rule: dict[str, object] = {"allow": True, "type": device.type, "access": "rwm"}
        if device.path != "all":
            rule |= {"major": device.major, "minor": device.minor}
        rules.append(rule)
    return rules


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"
