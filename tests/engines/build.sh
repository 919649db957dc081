#!/usr/bin/env bash
# Builds the engines that are distributed as source: old releases as runners (wasmi 0.43.1, Wasmtime 43.0.0) and as shared libraries
# (wasmi's C interface, wasm3). They go into target/engines, where the tests look. Takes five minutes on two quiet cores the
# first time, seconds when everything is there. The lock files pin every crate by its checksum.
set -euo pipefail
cd "$(dirname "$0")"

engines=$(cd ../.. && pwd)/target/engines
mkdir -p "$engines/runners" "$engines/libs"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}

# fetch.sh has brought it. Its WASI is not needed: the recorder answers.
wasm3=$engines/sources/wasm3-0.5.0/wasm3
[ -d "$wasm3" ] || { echo "the source of wasm3 is not there: run tests/engines/fetch.sh" >&2 && exit 1; }
[ "$engines/libs/libwasm3-0.5.0.so" -nt "$wasm3/wasm3.h" ] ||
    cc -O2 -shared -fPIC -DNASSERTS -o "$engines/libs/libwasm3-0.5.0.so" "$wasm3"/*.c -lm

for engine in wasmi-0.43 wasmtime-43; do
    cargo build --locked --manifest-path "$engine/Cargo.toml"
    # A binary has its package's name with dashes only.
    cp "$CARGO_TARGET_DIR/debug/${engine//./-}" "$engines/runners/"
done
for release in 1.0.5 2.0.0-beta.3; do
    cargo build --locked --manifest-path "wasmi-capi-$release/Cargo.toml"
    cp "$CARGO_TARGET_DIR/debug/libwasmi_capi_${release//[.-]/_}.so" "$engines/libs/libwasmi-$release.so"
done
echo "built: $(cd "$engines" && ls runners/* libs/libwasmi-* libs/libwasm3-* | tr '\n' ' ')"
