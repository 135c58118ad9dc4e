"""The format `tar`: the root file system in LinuxKit's layout, the kernel in `boot`."""

from __future__ import annotations

from ingot.appliance.archive import write_tar
from ingot.appliance.outputs import ARCHES, OutputFile, Target
from ingot.appliance.plan import Plan


class Tar:
    """See the module."""

    name = "tar"
    suffixes = (".tar",)
    needs = ()
    loaders = ()
    arches = ARCHES

    def write(self, plan: Plan, target: Target) -> list[OutputFile]:
        """Write NAME.tar."""
        file_name = f"{target.name}{self.suffixes[0]}"
        with (target.folder / file_name).open("wb") as file:
            write_tar(plan.root, file)
        return [OutputFile("tar", file_name)]


OUTPUT = Tar()
