"""What a squashfs image keeps of a tree, as the tool's own reader unpacks it."""

import os
import subprocess
from pathlib import Path

from ingot.appliance.squashfs import write_squashfs
from ingot.oci.tree import Content, Entry, Tree, file

# cap_net_raw=ep, as setcap(8) stores it.
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


def test_attributes_capabilities_and_links_are_kept(tmp_path: Path) -> None:
    tree = Tree()
    xattrs = (("security.capability", CAPABILITY), ("user.note", b"\xffbytes\0"))
    body = Content.of("elf")
    tree.add(Entry("bin/ping", "file", 0o755, content=body, xattrs=xattrs))
    tree.add(Entry("bin/ping6", "file", 0o755, content=body, xattrs=xattrs))
    tree.add(file("bin/su", "elf", 0o4755))
    image = tmp_path / "image"
    write_squashfs(tree, image)
    # Everybody may set attributes of users, root alone those of the kernel.
    as_root = os.geteuid() == 0
    kind = "-xattrs" if as_root else "-user-xattrs"
    command = ["unsquashfs", "-d", str(tmp_path / "out"), kind, str(image)]
    subprocess.run(command, check=True, capture_output=True)
    ping = tmp_path / "out/bin/ping"
    kept = {name: os.getxattr(ping, name) for name in os.listxattr(ping)}
    assert kept == dict(xattrs if as_root else xattrs[1:])
    assert ping.samefile(tmp_path / "out/bin/ping6"), "equal files are stored once"
    assert (tmp_path / "out/bin/su").stat().st_mode & 0o7777 == 0o4755
