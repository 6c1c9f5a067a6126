#!/bin/sh
# Says where a Chromium is that tests may drive, and installs Debian's when it can. Never fails:
# without one the browser tests are skipped, each with the reason printed here.
set -eu

find_one() {
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
        if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

if found=$(find_one); then
    echo "Browser tests drive $found"
elif [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "No Chromium here, and no way to install one (needs root and apt-get): browser tests will be skipped."
    echo "On Debian and Ubuntu: sudo apt install chromium. Elsewhere, name one: CHROMIUM=/path/to/chrome make test"
else
    echo "Installing Chromium for the browser tests"
    if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-dejavu-core; } \
        >/dev/null 2>&1; then
        echo "It could not be installed: browser tests will be skipped."
    fi
fi
