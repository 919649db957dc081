#!/usr/bin/env bash
# Fetches the packages from npm that tests/javascript.rs records, into target/javascript, by the versions and checksums in
# packages/package-lock.json. None of their scripts runs.
#
# Exit code: that of npm.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$here/../../target/javascript
mkdir -p "$folder"
cp "$here/packages/package.json" "$here/packages/package-lock.json" "$folder/"
cd "$folder"
exec npm ci --ignore-scripts --no-audit --no-fund
