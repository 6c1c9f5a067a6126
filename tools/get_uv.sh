#!/bin/sh
# Put uv VERSION into .cache/uv-VERSION with PYTHON: by venv, or by pip alone where venv is missing.
# usage: get_uv.sh PYTHON VERSION
set -eu

python=$1
version=$2
place=.cache/uv-$version

if [ -x "$place/bin/uv" ]; then
    exit 0 # another make was faster
fi

if ! command -v "$python" >/dev/null 2>&1; then
    echo "Tidegate needs Python 3.11 or newer, and there is no '$python' here. Name one: make PYTHON=/path/to/python3.12 run" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Tidegate needs Python 3.11 or newer; '$python' is $("$python" --version 2>&1). Name another: make PYTHON=python3.12 run" >&2
    exit 1
fi

# Made beside and moved at the end, so that a run that is cut leaves nothing half done.
rm -rf "$place.new"
if "$python" -m venv "$place.new" >/dev/null 2>&1; then
    echo "Getting uv $version (installs everything else; stays in .cache/)"
    "$place.new/bin/python" -m pip install --no-input "uv==$version"
elif "$python" -m pip --version >/dev/null 2>&1; then
    echo "This Python has no venv; getting uv $version by pip alone"
    rm -rf "$place.new"
    "$python" -m pip install --no-input --target "$place.new" "uv==$version"
else
    rm -rf "$place.new"
    echo "This Python has neither venv nor pip. On Debian and Ubuntu: apt install python3-venv." >&2
    echo "Or use a uv that you have: make UV=\$(command -v uv) run" >&2
    exit 1
fi
rm -rf "$place"
mv "$place.new" "$place"
