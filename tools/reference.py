"""Write the reference pages that come from tables of the code: operations, settings, exit codes.

`tools/reference.py` writes them, `tools/reference.py --check` only says which are out of date
(a tidy test runs it).
"""

import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_GENERATED = "<!-- Written by tools/reference.py from the code's tables; change them, not this. -->"


def s3_compatibility() -> str:
    """Return the page of S3 operations: those served, and those answered with 501."""
    from ingot.s3.operations import OPERATIONS, UNIMPLEMENTED

    served = [f"| {row.name} | `{_place(row)}` | `{row.action}` |" for row in OPERATIONS]
    missing = [f"| {row.name} | `{_place(row)}` |" for row in UNIMPLEMENTED]
    return "\n".join(
        [
            "# S3 compatibility",
            "",
            _GENERATED,
            "",
            "Signature version 4 in the header and in presigned queries, version 2 in presigned",
            "queries only; path and virtual-host",
            "style; signed and unsigned `aws-chunked` bodies with trailers; CRC32, CRC32C,",
            "CRC64NVME, SHA-1 and SHA-256 checksums are verified, stored and echoed.",
            "",
            "What was written while versioning was off or suspended is the version `null`. As with",
            "Amazon, reads name it (`x-amz-version-id: null`) once versioning was enabled; PUT",
            "does not.",
            "",
            "PostObject takes the fields in front of the file, up to 128 KiB together, each",
            "name once, and looks at nothing behind it. `${filename}` stands for the file's",
            "name in `key` only, and the policy is held against the key that results.",
            "Signatures are of version 4 or 2; a form without a policy is anonymous.",
            "",
            f"## Served: {len(OPERATIONS)}",
            "",
            "| operation | request | permission |",
            "|---|---|---|",
            *served,
            "",
            f"## Known and answered with `NotImplemented` (501): {len(UNIMPLEMENTED)}",
            "",
            "Such a request never does something else instead: `PUT key?acl` overwrites no",
            "object.",
            "",
            "| operation | request |",
            "|---|---|",
            *missing,
            "",
        ]
    )


def admin_api() -> str:
    """Return the page of the admin API's operations."""
    from ingot.server.admin.operations import OPERATIONS, ROOT_FAMILIES

    rows = [
        f"| {row.name.removeprefix('Admin')} | `{method} /minio/admin/v3/{path}` |"
        f" {'root keys' if row.family in ROOT_FAMILIES else f'`{row.action}`'} |"
        for (method, path), row in OPERATIONS.items()
    ]
    return "\n".join(
        [
            "# The admin API",
            "",
            _GENERATED,
            "",
            "A part of MinIO's admin API, version 3, for [`ingot admin`](admin.md), `ingot quota`,",
            "`mc quota`, `mc admin info`, `user`, `group`, `policy` and `accesskey`, and programs",
            "that speak it.",
            "Requests are signed as S3 requests are (service `s3`, any region), with the root keys",
            "or those of a user whose policies have the permission. What is about identities is",
            "for root keys alone, so that nobody can become more than they are. Errors are JSON",
            "objects with `Code` and `Message`. What is not in the table is answered",
            "`NotImplemented` (501).",
            "",
            "| operation | request | permission |",
            "|---|---|---|",
            *rows,
            "",
            "AccountInfo is answered to every signed request, with the buckets that its sender may",
            "read or write. What a bucket holds is exact where it has a quota; else it is what the",
            "last round over all records found, which is minutes old in a large store.",
            "",
            'The body of SetBucketQuota is `{"quota": BYTES, "quotatype": "hard"}`; `size` may',
            "stand for `quota`, and 0 takes the quota away. Rates are not implemented. The answer",
            "comes when",
            "what the bucket holds is counted, about 3 s for each million of records.",
            "",
        ]
    )


def server_settings() -> str:
    """Return the page of the server's settings."""
    from ingot.server.settings import SETTINGS

    rows = [
        f"| `{row.name}` | {_variables(row.variables, row.from_file)} | {row.doc} |"
        for row in SETTINGS
    ]
    return "\n".join(
        [
            "# The server's settings",
            "",
            _GENERATED,
            "",
            "`ingot server` takes a setting from its option, else from the first variable that is",
            "set, else its default. `ingot server --help` lists the options.",
            "",
            "| setting | variables | meaning |",
            "|---|---|---|",
            *rows,
            "",
            "`ingot server keys` prints the root keys: those in the environment, else the pair",
            "that was generated for the directory.",
            "",
        ]
    )


def exit_codes() -> str:
    """Return the page of exit codes, shared by every command."""
    from ingot.base import errors

    own = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.Error)
    ]
    rows = [
        f"| {cls.exit_code} | `{cls.slug}` | {(cls.__doc__ or '').splitlines()[0]} |"
        for cls in sorted(own, key=lambda cls: cls.exit_code)
    ]
    return "\n".join(
        [
            "# Exit codes",
            "",
            _GENERATED,
            "",
            "Every command ends with one of these. With `--json` an error is one JSON object on",
            "standard error whose `error.slug` is the word in the second column (a more precise",
            "word where a part of Ingot has one); see [JSON output](json.md).",
            "",
            "| code | slug | meaning |",
            "|---|---|---|",
            "| 0 | | Done. |",
            *rows,
            "| 129 | | Ended by SIGHUP: its terminal was closed. |",
            "| 130 | | Interrupted by Ctrl-C. |",
            "| 143 | | Ended by SIGTERM. |",
            "",
        ]
    )


def json_output() -> str:
    """Return the page of the lines that `--json` prints."""
    from ingot.cli._fields import ROWS, fields_of

    lines, raw = [], []
    for row in ROWS:
        names = ", ".join(f"`{name}`" for name in row.commands)
        if row.raw:
            raw.append(f"| {names} | {row.raw} |")
            continue
        fields = []
        for field in fields_of(row):
            meaning = f" ({field.meaning})" if field.meaning else ""
            fields.append(f"`{field.name}`{'?' if field.optional else ''}{meaning}")
        lines.append(f"| {names} | {row.line} | {', '.join(fields)} |")
    return "\n".join(
        [
            "# JSON output",
            "",
            _GENERATED,
            "",
            "Every command takes `--json`, before or after the verb. Standard output then holds",
            "one JSON object a line, in UTF-8, each as soon as it is known, and nothing else.",
            "Fields that mc has keep its names. A new version may add fields and kinds of lines;",
            "it does not rename fields, take them away, or give them another type.",
            "",
            "Every line has `status`, `success` unless the table says other. Addresses are written",
            "as on the command line, `ALIAS/BUCKET/KEY`, times as in RFC 3339 in UTC. Names that",
            "are not UTF-8 have escapes for their odd bytes.",
            "",
            "## Errors, warnings and notes",
            "",
            "They are JSON objects, too, one a line, on standard error:",
            "",
            "| `status` | fields |",
            "|---|---|",
            "| `error` | `error`: `type` (`error`), `slug`, `message`, `hint`?, `cause` |",
            "| `warning` | `message` |",
            "| `info` | `message` |",
            "",
            "`slug` is a word for the kind of error ([exit codes](exit-codes.md)), `hint` what",
            "can be done. `cause` holds a `message` and an `error`: what lies beneath. Of what a",
            "service refused, `cause.error` has the elements of its answer: `Code`, `Message`,",
            "`RequestID`, `BucketName` and others. `--quiet` leaves `info` out. The last error is",
            "the one that the exit code belongs to. A server's log is no part of this: it has",
            "`--json-log`.",
            "",
            "## Lines",
            "",
            "A field with `?` is left out where there is nothing to say.",
            "",
            "| commands | line | fields |",
            "|---|---|---|",
            *lines,
            "",
            "## Where it is not lines of JSON",
            "",
            "| commands | standard output |",
            "|---|---|",
            *raw,
            "",
        ]
    )


def python_library() -> str:
    """Return the page of all that the Python library exports."""
    from library_reference import page

    return page(_GENERATED)


PAGES: dict[str, Callable[[], str]] = {
    "s3-compatibility.md": s3_compatibility,
    "admin-api.md": admin_api,
    "server.md": server_settings,
    "exit-codes.md": exit_codes,
    "json.md": json_output,
    "python-library-names.md": python_library,
}


def _place(row: object) -> str:
    method, scope = row.method, row.scope  # type: ignore[attr-defined] # both tables' rows have them
    path = {"service": "/", "bucket": "/BUCKET", "object": "/BUCKET/KEY"}[scope]
    query = "&".join(sorted(row.subresource))  # type: ignore[attr-defined] # as above
    header = f" + {row.header}" if row.header else ""  # type: ignore[attr-defined] # as above
    return f"{method} {path}{'?' + query if query else ''}{header}"


def _variables(names: tuple[str, ...], from_file: bool) -> str:
    suffix = " (each also with `_FILE`)" if from_file else ""
    return ", ".join(f"`{name}`" for name in names) + suffix


def main() -> int:
    """Write the pages, or with --check compare them."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, page in PAGES.items():
        path = ROOT / "docs/reference" / name
        text = page()
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not check:
                path.write_text(text)
    if check and stale:
        print(f"out of date: {', '.join(stale)}; run tools/reference.py", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
