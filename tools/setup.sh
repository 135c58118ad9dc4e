#!/usr/bin/env bash
# Install what this checkout needs and does not find: Debian packages, a virtual environment,
# the locked wheels. A second run only compares stamps.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "installing Debian packages needs root, and there is no sudo" "run as root: apt-get install $*"
  fi
}

install_debian_packages() {
  command -v dpkg-query >/dev/null || die "this is no Debian-like system" "install what requirements/debian.txt lists by hand, then run with INGOT_SKIP_APT=1"
  local missing=() name
  while read -r name _; do
    case "$name" in ''|'#'*) continue ;; esac
    dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done < requirements/debian.txt
  [ ${#missing[@]} -eq 0 ] && return
  say "installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"; return
    fi
  done
  die "no Python 3.11 or newer with the venv module was found" "set PYTHON to one, as in: make PYTHON=/usr/bin/python3.12"
}

stamp_of() { cat tools/setup.sh requirements/dev.txt pyproject.toml | sha256sum | cut -c1-64; }

install_wheels() {
  local stamp; stamp=$(stamp_of)
  [ -x "$venv/bin/ingot" ] && [ "$(cat "$venv/.stamp" 2>/dev/null)" = "$stamp" ] && return
  local python; python=$(find_python)
  say "creating $venv with $("$python" --version)"
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  # Bytecode is compiled as it is needed: compiling it all here costs more than it saves.
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
    --require-hashes -r requirements/dev.txt
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-deps --no-build-isolation --editable .
  echo "$stamp" > "$venv/.stamp"
}

[ -n "${INGOT_SKIP_APT:-}" ] || install_debian_packages
install_wheels
