"""The program the target's own interpreter runs to compile; it imports nothing of ours.

Standard input: for each module its path in the image, file, offset and size, every field ended by
a NUL (the minimal interpreter has no json). Standard output: for each, four bytes of length and a
.pyc of the unchecked-hash kind (PEP 552); length zero where the source does not compile, as
templates and test data among the sources do not. Equal sources give equal bytes in any order:
since Python 3.11 marshal marks interned strings as shared whoever else uses them.
"""

import importlib.util
import marshal
import sys

# PEP 552: hash-based, and the hash is not to be checked against the source.
UNCHECKED_HASH = (1).to_bytes(4, "little")


def compiled(path: str, source: bytes) -> bytes:
    """Return the .pyc of a source, empty when it does not compile."""
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError):
        return b""
    header = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH + importlib.util.source_hash(source)
    return header + marshal.dumps(code)


def main() -> None:
    """Compile everything the caller lists."""
    output = sys.stdout.buffer
    fields = iter(sys.stdin.buffer.read().decode().split("\0")[:-1])
    for path, name, offset, size in zip(fields, fields, fields, fields, strict=True):
        with open(name, "rb") as file:
            file.seek(int(offset))
            pyc = compiled(f"/{path}", file.read(int(size)))
        output.write(len(pyc).to_bytes(4, "little") + pyc)


if __name__ == "__main__":
    main()
