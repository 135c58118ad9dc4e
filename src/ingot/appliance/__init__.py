"""YAML into bootable images: spec, sources, root filesystem, bundles, outputs."""
