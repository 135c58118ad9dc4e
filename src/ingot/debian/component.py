"""Turns a component folder (component.yml and its files) into an image."""

from __future__ import annotations

from pathlib import Path

from ingot.debian.session import Session
from ingot.oci.image import Image


def build_component(folder: Path, *, arch: str, session: Session) -> Image:
    """Build the image that `folder/component.yml` describes.

    Args:
        folder: holds component.yml and the files it names.
        arch: Debian architecture name (`amd64`, `arm64`).
        session: sources, lock and caches; `session.save_lock()` afterwards writes new pins.

    Raises:
        ingot.base.errors.UsageError: component.yml is wrong: all mistakes at once, with places.
        ingot.base.errors.Error: packages are missing, damaged or unsatisfiable, or no network.
    """
    raise NotImplementedError
