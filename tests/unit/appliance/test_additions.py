"""What `data` and `ntp` stand for, and which kernel modules an appliance takes along."""

from collections.abc import Callable, Sequence

import pytest

from ingot.appliance.additions import with_additions
from ingot.appliance.modules import module_list, optional_modules, wanted_modules
from ingot.appliance.spec import Appliance
from ingot.base.errors import NotFoundError
from ingot.oci.image import Image
from ingot.oci.tree import Tree

MakeImage = Callable[..., Image]
Parse = Callable[[str], Appliance]


def steps(appliance: Appliance) -> list[str]:
    return [step.name for step in with_additions(appliance).onboot]


def test_a_plain_disk_is_formatted_and_mounted_first(parse: Parse) -> None:
    text = "data: {}\nonboot: [{name: one, image: component:app}]\n"
    assert steps(parse(text)) == ["format", "mount", "one"]


def test_a_key_is_told_before_its_disk_is_opened(parse: Parse) -> None:
    text = "data: [{key: /run/config/k, label: A}, {label: B, path: /var/b}]\n"
    assert steps(parse(text)) == ["metadata", "decrypt", "mount", "format2", "mount2"]
    own = "onboot: [{name: one, image: component:app}, {name: told, image: component:metadata}]\n"
    appliance = with_additions(parse(text + own))
    names = [step.name for step in appliance.onboot]
    assert names == ["told", "decrypt", "mount", "format2", "mount2", "one"]
    assert appliance.onboot[1].settings.command == ("/usr/lib/ingot/decrypt", "A", "/run/config/k")


def test_time_servers_become_a_service(parse: Parse) -> None:
    (service,) = with_additions(parse("ntp: [a.example, 10.0.0.1]")).services
    assert (service.name, service.image) == ("ntp", "component:ntp")
    assert service.settings.command == ("/usr/lib/ingot/ntp", "a.example", "10.0.0.1")


@pytest.fixture
def images(make_image: MakeImage) -> dict[str, Image]:
    kernel = make_image(
        "component:kernel", files={f"lib/{name}.ko": "" for name in ("a", "b", "c", "fast")}
    )
    labels = {"ingot.modules": "a", "ingot.modules.optional": "fast other"}
    return {
        "component:kernel": kernel,
        "component:disk": make_image("component:disk", labels=labels),
        "component:load": make_image("component:load", labels={"ingot.modules.command": "true"}),
    }


def order(tree: Tree, names: Sequence[str]) -> list[str]:
    if missing := [name for name in names if f"lib/{name}.ko" not in tree]:
        raise NotFoundError(f"no module {missing}")
    return [f"lib/{name}.ko" for name in names]


MODULES = (
    "kernel: {image: component:kernel}\nonboot:\n- {name: disk, image: component:disk}\n"
    "- {name: load, image: component:load, command: [modprobe, -a, b, c]}\n"
)


def test_labels_and_commands_name_modules(parse: Parse, images: dict[str, Image]) -> None:
    assert wanted_modules(parse(MODULES), images) == ["a", "b", "c"]


def test_a_kernel_may_lack_optional_modules(parse: Parse, images: dict[str, Image]) -> None:
    found = optional_modules(parse(MODULES), images, order)
    assert [entry.path for entry in found] == ["lib/fast.ko"]


def test_the_boot_is_told_which_modules_may_fail() -> None:
    content = module_list(["lib/a.ko"], ["lib/fast.ko"]).content
    assert content is not None
    assert content.read() == b"/lib/a.ko\n-/lib/fast.ko\n"
