#!/usr/bin/env bash
# Renew the hash locks. `tools/lock.sh --upgrade` moves versions too; without it only what the
# inputs require changes. Needs uv (`pip install uv`).
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --custom-compile-command tools/lock.sh "$@"
}
compile "$@" pyproject.toml -o requirements/runtime.txt
compile "$@" pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
compile "$@" src/ingot/system/store/wheels.in -c requirements/runtime.txt \
  -o src/ingot/system/store/wheels.txt
