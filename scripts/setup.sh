#!/usr/bin/env bash
# Makes everything that the project runs on: .venv with pinned packages, system libraries, the colcon build.
# Quick when nothing has changed. `setup.sh test` adds what the tests need. PYTHON chooses the interpreter.
# With a ROS 2 installation sourced that one is used; without, the ROS 2 packages of requirements-ros.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
venv=$root/.venv
purpose=${1:-run}

say() { printf '== %s\n' "$*"; }
fail() { printf 'hoigen: %s\n' "$*" >&2; exit 1; }

# The first prefix of AMENT_PREFIX_PATH that is a ROS 2 installation and not our own environment.
ros_installation() {
  local prefix
  local -a prefixes
  IFS=: read -ra prefixes <<< "${AMENT_PREFIX_PATH:-}"
  for prefix in "${prefixes[@]}"; do
    if [[ $prefix != "$venv" && -f $prefix/share/ament_cmake/package.xml ]]; then
      echo "$prefix"
      return
    fi
  done
}

fits() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2> /dev/null; }

choose_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.12 python3.11}; do
    if fits "$candidate"; then
      "$candidate" -c 'import os, sys; print(os.path.realpath(sys._base_executable))'  # not the .venv that may be active
      return
    fi
  done
  fail "Python: expected 3.11 or 3.12, found neither as ${PYTHON:-python3, python3.12, python3.11}; set PYTHON=<command>"
}

# Installs Debian packages where that is allowed without asking; false where it is not or does not work.
apt_install() {
  local -a as_root=()
  [[ $(id -u) == 0 ]] || as_root=(sudo -n)
  command -v apt-get > /dev/null || return 1
  [[ $(id -u) == 0 ]] || sudo -n true 2> /dev/null || return 1
  say "installing with apt: $*"
  "${as_root[@]}" apt-get update -qq > /dev/null || return 1
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}

require() { apt_install "$@" || fail "please install first: sudo apt-get install $*"; }

install_compiler() {
  local python=$1 version
  local -a missing=()
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  command -v g++ > /dev/null || missing+=(g++)
  command -v make > /dev/null || missing+=(make)
  "$python" -c 'import ensurepip' 2> /dev/null || missing+=("python$version-venv")
  "$python" -c 'import os, sysconfig; open(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2> /dev/null \
    || missing+=("python$version-dev")
  if ((${#missing[@]})); then require "${missing[@]}"; fi
}

# .venv for this place, interpreter and kind of ROS; a different one is made anew.
make_venv() {
  local python=$1 ros=$2 kind
  kind="$venv $("$python" -c 'import sys; print(sys.executable, sys.version)') ${ros:-wheels}"
  [[ -f $venv/.hoigen-kind && $(< "$venv/.hoigen-kind") == "$kind" ]] && return
  say "making .venv with $("$python" --version), ROS 2 from ${ros:-PyPI}"
  "$python" -m venv --clear ${ros:+--system-site-packages} "$venv"
  underlay sh
  underlay bash
  rm -rf build install
  echo "$kind" > "$venv/.hoigen-kind"
}

# Makes .venv a prefix that colcon chains to as it does to /opt/ros/<distro>: sourcing install/setup.bash is enough.
underlay() {
  cat > "$venv/local_setup.$1" << EOF
export AMENT_PREFIX_PATH="$venv\${AMENT_PREFIX_PATH:+:\$AMENT_PREFIX_PATH}"
export PATH="$venv/bin:\$PATH"
EOF
}

install_packages() {
  local file stamp=$venv/.hoigen-packages want
  local -a files=("$@") arguments=()
  [[ -f $stamp ]] && want=$(cat "${files[@]}") && [[ $(< "$stamp") == *"$want"* ]] && return
  for file in "${files[@]}"; do arguments+=(-r "$file"); done
  say "installing ${files[*]} into .venv (the first time: 1.5 GB, some minutes)"
  "$venv/bin/python" -m pip install --disable-pip-version-check --progress-bar off "${arguments[@]}"
  cat "${files[@]}" > "$stamp"
}

check_opengl() {
  PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} "$venv/bin/python" scripts/check_opengl.py
}

# Off-screen OpenGL for the simulator.
install_opengl() {
  local stamp=$venv/.hoigen-opengl status=0
  [[ -f $stamp ]] && return
  check_opengl 2> /dev/null || status=$?
  if ((status == 3)); then require libegl1 libgl1-mesa-dri; fi
  ((status == 0)) || check_opengl || fail 'the simulator cannot draw, see above'
  touch "$stamp"
}

install_browser() {
  command -v chromium > /dev/null || command -v chromium-browser > /dev/null || command -v google-chrome > /dev/null \
    || apt_install chromium || say 'no Chromium: the test that opens the report will be skipped'
}

build() {
  say 'building with colcon'
  set +u
  # shellcheck disable=SC1091
  source "$venv/local_setup.bash"
  set -u
  command -v colcon > /dev/null || require python3-colcon-common-extensions
  colcon build --symlink-install || fail 'the build failed, see above'
  "$venv/bin/python" -m compileall -q hoigen  # the tests run processes that must not write it, hundreds of them
}

ros=$(ros_installation)
python=$(choose_python)
say "setting up in $root"
install_compiler "$python"
make_venv "$python" "$ros"
files=(requirements.txt)
[[ -n $ros ]] || files+=(requirements-ros.txt)
[[ $purpose != test ]] || files+=(requirements-dev.txt)
install_packages "${files[@]}"
install_opengl
[[ $purpose != test ]] || install_browser
build
