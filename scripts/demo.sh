#!/usr/bin/env bash
# Sets up, then goes from the simulator to generated video; ends with the paths of what was made.
# Arguments are those of `hoigen up sim_to_video`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh

set +u
# shellcheck disable=SC1091
source install/setup.bash
set -u

exec python -m hoigen up sim_to_video --out out/demo "$@"
