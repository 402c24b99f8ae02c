#!/usr/bin/env bash
# Sets up, then runs every test through colcon; ends with pytest's closing lines, their total and the exit status.
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
python scripts/closing_lines.py log/latest_test/hoigen/stdout.log
exit "$status"
