"""One file per hypervisor or cloud."""
