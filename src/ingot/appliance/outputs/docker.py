"""The format `docker`: the root file system as an image that Docker and others load or build."""

from __future__ import annotations

import hashlib
import re
from typing import BinaryIO, cast

import msgspec

from ingot.appliance.archive import write_tar
from ingot.appliance.initrd import root_without_kernel
from ingot.appliance.outputs import ARCHES, OutputFile, Target
from ingot.appliance.plan import Plan
from ingot.oci.digest import HashedFile
from ingot.oci.manifest import ConfigDocument, RootFs, RunConfig, platform_for
from ingot.oci.tree import Content, Entry, Tree, file

_LAYER = "layer.tar"
_ENTRYPOINT = ("/sbin/init",)
# `docker build` unpacks an archive that it adds.
_DOCKERFILE = f'FROM scratch\nADD {_LAYER} /\nENTRYPOINT ["{_ENTRYPOINT[0]}"]\n'


class Docker:
    """See the module."""

    name = "docker"
    suffixes = (".docker",)
    needs = ()
    loaders = ()
    arches = ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME.docker: what `docker load` reads, with a Dockerfile for `docker build`."""
        path = target.work / _LAYER
        with path.open("wb") as layer:
            hashed = HashedFile(layer, "sha256")
            write_tar(root_without_kernel(plan), cast("BinaryIO", hashed))
        platform = platform_for(plan.arch)
        config = msgspec.json.encode(
            ConfigDocument(
                architecture=platform.architecture,
                os=platform.os,
                variant=platform.variant,
                config=RunConfig(entrypoint=list(_ENTRYPOINT)),
                rootfs=RootFs([hashed.digest]),
            )
        )
        config_name = f"{hashlib.sha256(config).hexdigest()}.json"
        image = {"Config": config_name, "RepoTags": _tags(plan.name), "Layers": [_LAYER]}
        tree = Tree()
        tree.add(file("Dockerfile", _DOCKERFILE))
        tree.add(file("manifest.json", msgspec.json.encode([image])))
        tree.add(file(config_name, config))
        content = Content(path.stat().st_size, path=str(path), digest=hashed.digest)
        tree.add(Entry(_LAYER, "file", 0o644, content=content))
        file_name = f"{target.name}{self.suffixes[0]}"
        with (target.folder / file_name).open("wb") as sink:
            write_tar(tree, sink)
        return [OutputFile("tar", file_name)]


def _tags(name: str) -> list[str]:
    """Return the image's name; names of images have no capitals and no odd characters."""
    plain = "-".join(re.findall(r"[a-z0-9]+", name.lower()))
    return [f"{plain}:latest"] if plain else []


OUTPUT = Docker()
