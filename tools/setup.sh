#!/usr/bin/env bash
# Install what this checkout needs and does not find: Debian packages, a virtual environment,
# the locked wheels. A second run only compares stamps.
# Usage: tools/setup.sh VENV [run|test]; `test` installs what only the test suite needs, too.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}
purpose=${2:-run}

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
  local missing=() name needed_by
  while read -r name needed_by _; do
    case "$name" in ''|'#'*) continue ;; esac
    [ "$needed_by" = test ] && [ "$purpose" != test ] && continue
    dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
  done < requirements/debian.txt
  [ ${#missing[@]} -eq 0 ] && return
  say "installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# A registry for tests to pull from: only its program, because the package would start a daemon.
unpack_registry() {
  [ "$purpose" = test ] || return 0
  [ ! -x "$venv/bin/docker-registry" ] || return 0
  say "unpacking docker-registry into $venv"
  local folder; folder=$(mktemp -d)
  (cd "$folder" && apt-get -o APT::Sandbox::User=root download -qq docker-registry >&2) ||
    { as_root apt-get update -qq; (cd "$folder" && apt-get -o APT::Sandbox::User=root download -qq docker-registry >&2); }
  dpkg-deb -x "$folder"/docker-registry_*.deb "$folder"
  install "$folder/usr/bin/docker-registry" "$venv/bin/docker-registry"
  rm -rf "$folder"
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
[ -n "${INGOT_SKIP_APT:-}" ] || unpack_registry
