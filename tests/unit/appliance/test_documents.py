"""Several appliance files as one: what is appended, overridden, removed, resolved, and printed."""

import json

import pytest

from ingot.appliance.documents import Document
from ingot.appliance.spec import Appliance, parse_appliance
from ingot.base.document import DocumentError
from ingot.base.errors import NotFoundError

BASE = """
kernel: {image: example/kernel, cmdline: console=ttyS0}
init: [example/init]
volumes: [{name: data}]
services:
  - {name: web, image: example/web, env: [A=1], binds: ["data:/srv"]}
  - {name: shell, image: example/shell}
files: [{path: /etc/motd, contents: one}]
network: {address: 10.0.0.2/24, gateway: 10.0.0.1}
"""


def read(*texts: str) -> Appliance:
    documents = [Document(text, f"{number}.yml") for number, text in enumerate(texts, 1)]
    return parse_appliance(documents, name="x")


def mistakes(*texts: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        read(*texts)
    return caught.value.message.splitlines()


def test_kernel_fields_override_each_other_and_lists_are_appended() -> None:
    later = (
        "kernel: {cmdline: quiet}\ninit: [example/more]\nvolumes: [{name: other}]\n"
        "services: [{name: more, image: example/web, binds: ['data:/a', 'other:/b']}]\n"
        "files: [{path: etc/issue, contents: two}]\n"
    )
    merged = read(BASE, later)
    assert merged.kernel is not None
    assert (merged.kernel.image, merged.kernel.cmdline) == ("example/kernel", "quiet")
    assert merged.init == ("example/init", "example/more")
    assert [volume.name for volume in merged.volumes] == ["data", "other"]
    assert [service.name for service in merged.services] == ["web", "shell", "more"]
    assert [entry.path for entry in merged.files] == ["etc/motd", "etc/issue"]


def test_names_of_services_are_unique_across_files() -> None:
    assert mistakes(BASE, "services: [{name: web, image: example/web}]") == [
        "2.yml:1:19: services.0.name: duplicate service name 'web'"
    ]


def test_a_volume_of_a_later_file_may_be_bound_by_an_earlier_one() -> None:
    early = "services: [{name: a, image: b, binds: ['late:/x']}]"
    assert read(early, "volumes: [{name: late}]").volumes[0].name == "late"


def test_an_entry_is_overridden_key_by_key_or_removed_by_its_name() -> None:
    later = (
        "services:\n- {name: web, override: true, env: [A=2], command: [run]}\n"
        "- {name: shell, remove: true}\n"
        "files: [{path: etc/motd, remove: true}]\nvolumes: [{name: data, override: true, readonly: "
        "false}]\nnetwork: {gateway: 10.0.0.9}\n"
    )
    merged = read(BASE, later)
    (web,) = merged.services
    assert web.settings.env == ("A=2",)
    assert web.settings.command == ("run",)
    assert web.settings.binds == ("data:/srv",)
    assert merged.files == ()
    assert merged.network is not None
    (card,) = merged.network.cards
    assert (card.addresses, card.gateways) == (("10.0.0.2/24",), ("10.0.0.9",))


def test_only_what_is_there_once_can_be_overridden() -> None:
    later = (
        "onboot: [{name: a, image: b}, {name: a, image: b}, {name: a, remove: true}]\n"
        "services: [{name: wbe, override: true}, {name: web, remove: maybe}]"
    )
    assert mistakes(BASE, later) == [
        "2.yml:1:52: onboot.2: remove: 2 earlier entries 'a'; one is needed",
        "2.yml:2:12: services.0: override: no earlier entry 'wbe'; one is needed",
        "2.yml:2:41: name and image are needed here",
        "2.yml:2:61: services.1.remove: true or false is expected here",
    ]


def test_mistakes_of_all_files_are_told_with_their_files() -> None:
    assert mistakes("inits: []", "services: [{name: a}]") == [
        "1.yml:1:1: inits: 'inits' is not known here; did you mean 'init'?",
        "2.yml:1:12: services.0: name and image are needed here",
    ]


def test_an_empty_file_is_a_mistake_of_that_file() -> None:
    assert mistakes(BASE, "# nothing\n") == ["2.yml:1:1: the file is empty"]


def test_templates_are_resolved_in_any_scalar() -> None:
    document = Document(
        "init: ['@pkg:./init']\nservices: [{name: a, image: '@pkg:../web', env: ['X=@pkg:no']}]\n",
        "x.yml",
        lambda path: f"example/{path.rpartition('/')[2]}:tag",
    )
    appliance = parse_appliance([document], name="x")
    assert appliance.init == ("example/init:tag",)
    assert appliance.services[0].image == "example/web:tag"
    assert appliance.services[0].settings.env == ("X=@pkg:no",)
    assert "@pkg:." not in appliance.yaml_text


def test_a_template_that_cannot_be_resolved_is_a_mistake() -> None:
    def package(path: str) -> str:
        raise NotFoundError(f"{path} holds no package")

    with pytest.raises(DocumentError, match=r"x.yml:1:8: init.0: @pkg:a: a holds no package"):
        parse_appliance([Document("init: ['@pkg:a']", "x.yml", package)], name="x")
    assert mistakes("init: ['@pkg:a']") == [
        "1.yml:1:8: init.0: @pkg:a: templates are resolved in files of this machine only"
    ]


def test_the_merged_text_reads_as_the_same_appliance() -> None:
    later = (
        "services: [{name: shell, remove: true}]\nkernel: {cmdline: '0644', binary: 1.10}\n"
        "files: [{path: etc/x.json, metadata: json}]\n"
    )
    merged = read(BASE, later)
    again = read(merged.yaml_text)
    assert again == merged
    assert again.yaml_text == merged.yaml_text
    document = json.loads(merged.json_text)
    assert document["kernel"] == {
        "image": "example/kernel",
        "cmdline": "0644",
        "binary": "1.10",
    }
