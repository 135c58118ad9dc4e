"""How the host commands a machine: its sockets, and QEMU's protocol on one of them."""
