"""The default seccomp profile: which rules hold for which container."""

import json

import pytest

from ingot.appliance.seccomp import convert_profile
from ingot.base.errors import IntegrityError


def profile(*rules: dict) -> bytes:
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": 38,
            "archMap": [
                {
                    "architecture": "SCMP_ARCH_X86_64",
                    "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"],
                },
                {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
            ],
            "syscalls": list(rules),
        }
    ).encode()


def rule(*names: str, **more: object) -> dict:
    return {"names": list(names), "action": "SCMP_ACT_ALLOW", **more}


def allowed(*rules: dict, arch: str = "amd64", capabilities: tuple[str, ...] = ()) -> list[str]:
    converted = convert_profile(profile(*rules), arch=arch, capabilities=capabilities)
    return [name for row in converted["syscalls"] for name in row["names"]]


def test_the_form_is_that_of_the_runtime() -> None:
    arguments = [{"index": 0, "value": 8, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]
    denied = {**rule("bdflush"), "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "errno": "EPERM"}
    text = profile(rule("write", "read", args=[], comment=""), rule("personality", args=arguments))
    assert convert_profile(text, arch="amd64", capabilities=()) == {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": arguments},
        ],
    }
    (row,) = convert_profile(profile(denied), arch="arm64", capabilities=())["syscalls"]
    assert row == {"names": ["bdflush"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}


def test_rules_of_other_architectures_are_dropped() -> None:
    rules = [
        rule("arch_prctl", includes={"arches": ["amd64", "x32"]}),
        rule("sync_file_range2", includes={"arches": ["arm", "arm64"]}),
        rule("open", excludes={"arches": ["arm64"]}),
    ]
    assert allowed(*rules) == ["arch_prctl", "open"]
    assert allowed(*rules, arch="arm64") == ["sync_file_range2"]


def test_rules_follow_the_capabilities() -> None:
    rules = [
        rule("mount", includes={"caps": ["CAP_SYS_ADMIN"]}),
        rule("denied", excludes={"caps": ["CAP_SYS_ADMIN"]}),
        rule("both", includes={"caps": ["CAP_SYS_ADMIN", "CAP_CHOWN"]}),
    ]
    assert allowed(*rules) == ["denied"]
    assert allowed(*rules, capabilities=("CAP_SYS_ADMIN",)) == ["mount"]
    assert allowed(*rules, capabilities=("CAP_SYS_ADMIN", "CAP_CHOWN")) == ["mount", "both"]


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"archMap": [], "syscalls": []}'])
def test_another_form_is_an_error(text: bytes) -> None:
    with pytest.raises(IntegrityError, match="cannot be read"):
        convert_profile(text, arch="amd64", capabilities=())
