#!/bin/sh
# Says where an nginx, a HAProxy and nft are that tests may run, and installs Debian's when it can. Never fails:
# without one its tests are skipped, each with the reason printed here.
set -eu

PATH="$PATH:/usr/sbin:/usr/local/sbin"
missing=
for name in nginx haproxy nft; do
    package=$name
    [ "$name" != nft ] || package=nftables
    if command -v "$name" >/dev/null 2>&1; then
        echo "Proxy and firewall tests run $(command -v "$name")"
    else
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Not here:$missing, and no way to install it (needs root and apt-get): its tests will be skipped."
    echo "On Debian and Ubuntu: sudo apt install$missing."
    exit 0
fi

echo "Installing$missing for the tests of proxies and the firewall"
# The tests start their own: the package must not start one as a service of this machine.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
# shellcheck disable=SC2086 # one word for each package
if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } \
    >/dev/null 2>&1; then
    echo "It could not be installed: its tests will be skipped."
fi
