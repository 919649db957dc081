#!/usr/bin/env bash
# Builds the runners of old engines and puts them into one folder, tests/engines/target/runners or the first argument:
# there tests/known_bugs.rs finds them, or where FORKPOINT_RUNNERS says. Takes ten minutes on two cores the first time.
set -euo pipefail
cd "$(dirname "$0")"

runners=${1:-target/runners}
mkdir -p "$runners"
runners=$(cd "$runners" && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}

for engine in wasmi-0.43 wasmtime-43; do
    cargo build --locked --manifest-path "$engine/Cargo.toml"
    # A binary has its package's name with dashes only.
    cp "$CARGO_TARGET_DIR/debug/${engine//./-}" "$runners/"
done
echo "runners in $runners: $(ls "$runners" | tr '\n' ' ')"
