"""Kernel, RAM disk and root as files: what formats with a verified root share."""

from __future__ import annotations

from ingot.appliance.media.pieces import Piece, write_pieces
from ingot.appliance.outputs import OutputFile, Role, Target
from ingot.appliance.verified import VerifiedRoot
from ingot.oci.tree import Content


def write_root_files(
    root: VerifiedRoot, target: Target, suffixes: tuple[str, ...]
) -> list[OutputFile]:
    """Write kernel, RAM disk, command line and root image under these suffixes, in this order."""
    parts = root.parts
    roles: tuple[Role, ...] = ("kernel", "initrd", "cmdline")
    contents = (parts.kernel, parts.initrd, Content.of(parts.cmdline))
    files: list[OutputFile] = []
    for role, content, suffix in zip(roles, contents, suffixes[:3], strict=True):
        file_name = f"{target.name}{suffix}"
        write_pieces(target.folder / file_name, content.size_bytes, [Piece(0, content)])
        memory_mib = root.memory_mib() if role == "initrd" else 0
        files.append(OutputFile(role, file_name, memory_mib=memory_mib))
    image = f"{target.name}{suffixes[3]}"
    write_pieces(target.folder / image, root.size_bytes, root.pieces)
    return [*files, OutputFile("root", image)]
