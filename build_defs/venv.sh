#!/bin/sh
# Makes a virtual environment and installs this package into it, for editing, with one of
# its extras. Says in one line what goes wrong.
#
#   sh build_defs/venv.sh PYTHON FOLDER EXTRA
set -u
python=$1
venv=$2
extra=$3
log=$venv/pip.log

fail() {
    echo "Error: $*" >&2
    exit 1
}

command -v "$python" >/dev/null 2>&1 ||
    fail "$python was not found. Install Python 3.11, or name another: make PYTHON=/path/to/python"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "$python is not a working Python 3.11 or newer. Name another: make PYTHON=/path/to/python"

# Left over from an interrupted run, an environment may be there and yet not work.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    echo "Creating $venv ($("$python" --version 2>&1)) ..."
    "$python" -m venv --clear "$venv" >/dev/null 2>&1 ||
        fail "\`$python -m venv\` failed. On Debian and Ubuntu: apt-get install python3.11-venv"
fi

printf 'Installing ewe_tf[%s] into %s (the first time: 2.7 GB, some minutes) ' "$extra" "$venv"
start=$(date +%s)
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-input \
    -e ".[$extra]" >"$log" 2>&1 &
pip=$!
trap 'kill $pip 2>/dev/null; echo; exit 130' INT TERM
ticks=0
while kill -0 $pip 2>/dev/null; do
    sleep 1
    ticks=$((ticks + 1))
    [ $((ticks % 5)) -ne 0 ] || printf '.'
done
if wait $pip; then
    echo " done in $(($(date +%s) - start)) s"
    exit 0
fi
echo
unreachable='NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError|Network is unreachable'
if grep -qE "$unreachable" "$log"; then
    fail "pip cannot reach the package index: is the network on? (what pip said: $log)"
fi
cat "$log" >&2
fail "pip could not install ewe_tf[$extra]; what it said is above, and in $log"
