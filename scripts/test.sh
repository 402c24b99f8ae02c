#!/usr/bin/env bash
# Sets up, then runs every test through colcon; ends with pytest's closing line and its exit status.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh test

set +u
# shellcheck disable=SC1091
source install/setup.bash
set -u

status=0
colcon test --event-handlers console_direct+ --return-code-on-test-failure || status=$?
((status == 0)) || colcon test-result --verbose || true
echo
sed -n 's/^[0-9]*: \(=* .* in [0-9.]*s\( ([0-9:]*)\)\? =*\)$/\1/p' log/latest_test/hoigen/stdout.log | tail -n 1
exit "$status"
