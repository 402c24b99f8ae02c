#!/usr/bin/env bash
# Sets up, then lint, types and the fast tests: what to run before each commit. `make test` runs every test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
fast=(test/contract test/property test/unit/conditioning test/unit/geometry test/unit/metrics test/unit/episodes
  test/unit/test_cli.py test/unit/test_records.py)
scripts/setup.sh test

set +u
# shellcheck disable=SC1091
source install/setup.bash
set -u
exec python -m pytest -q -n logical --maxprocesses 8 --dist loadfile "${fast[@]}"
