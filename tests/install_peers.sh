#!/usr/bin/env bash
# Installs the packages of debian-packages.txt that are missing, as root or with a password-less
# sudo, and then the extra `camera` into the environment whose Python is given. Where it may not, or
# cannot, the tests that need them are skipped and say so.
# usage: install_peers.sh [PYTHON]
set -euo pipefail

here="$(dirname "$0")"

installed() {
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null || true) == installed ]]
}

install_packages() {
    local missing=() package
    while read -r package; do
        installed "$package" || missing+=("$package")
    done < <(sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$here/debian-packages.txt")

    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || return 0

    local as_root=()
    if ((EUID != 0)); then
        sudo -n true 2>/dev/null || return 0
        as_root=(sudo -n)
    fi
    export DEBIAN_FRONTEND=noninteractive
    if ! { "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"; }; then
        echo "could not install: ${missing[*]}" >&2
    fi
}

# PyGObject has no wheels: pip builds it against the libraries of the packages above.
install_camera() {
    "$1" -c 'import gi' 2>/dev/null && return 0
    installed libgirepository1.0-dev && installed libcairo2-dev || return 0
    "$1" -m pip install --quiet --disable-pip-version-check \
        --constraint "$here/../constraints.txt" --editable "$here/..[camera]" ||
        echo "could not install the extra camera" >&2
}

install_packages
[[ $# -eq 0 ]] || install_camera "$1"
