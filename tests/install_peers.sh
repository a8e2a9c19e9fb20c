#!/usr/bin/env bash
# Installs the packages of debian-packages.txt that are missing, as root or with a password-less
# sudo. Where it may not, or cannot, the tests that need them are skipped and say so.
set -euo pipefail

list="$(dirname "$0")/debian-packages.txt"
missing=()
while read -r package; do
    status="$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)"
    [[ $status == installed ]] || missing+=("$package")
done < <(sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$list")

((${#missing[@]})) || exit 0
command -v apt-get >/dev/null || exit 0

as_root=()
if ((EUID != 0)); then
    sudo -n true 2>/dev/null || exit 0
    as_root=(sudo -n)
fi
export DEBIAN_FRONTEND=noninteractive
if ! { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"; }; then
    echo "could not install: ${missing[*]}" >&2
fi
