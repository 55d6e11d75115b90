#!/usr/bin/env bash
# debian-root.sh DIST: a fresh Debian, in a folder, installs the package and the wheel
# of DIST and runs the demo with each. It has no network: what it installs comes from
# DIST, from Debian's packages when the folder is made, and from wheels that pip
# downloads here. Needs root, debootstrap, and a Python of Debian's version for pip.
# SUITE names another Debian, and BOOST its libboost-regex; DEBIAN_ROOT a folder that debootstrap has written already,
# which is copied.
set -euo pipefail
dist=$(realpath "$1")
suite=${SUITE:-bookworm}
source=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
root=$work/root
cleanup() {
	umount "$root/proc" "$root/dev/shm" "$root/dev" 2>/dev/null || true
	mountpoint -q "$root/dev" || rm -rf "$work"
}
trap cleanup EXIT

if [ -n "${DEBIAN_ROOT:-}" ]; then
	cp -a "$DEBIAN_ROOT" "$root"
else
	# The last two are there by other names, which debootstrap does not resolve.
	debootstrap --variant=minbase --include=python3-venv,python3-ipykernel,man-db,python3-cffi-backend,"${BOOST:-libboost-regex1.74.0}" "$suite" "$root" >"$work/debootstrap.log" 2>&1 ||
		{ tail "$work/debootstrap.log" >&2; exit 1; }
fi
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mountpoint -q /dev/shm && mount --bind /dev/shm "$root/dev/shm"

mkdir "$root/dist" "$root/wheels" "$root/demo"
arch=$(dpkg --print-architecture)
cp "$dist"/fanout_*_"$arch".deb "$dist"/fanout-*manylinux*"$([ "$arch" = arm64 ] && echo aarch64 || echo x86_64)"*.whl "$root/dist"
python3 -m pip download -q --disable-pip-version-check --only-binary :all: -d "$root/wheels" -r "$source/requirements.txt"
cp -r "$source/examples" "$source/requirements.txt" "$root/demo"

inside() { unshare --net chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 bash -euxc "$1"; }

inside '
	test "$(tail -n +3 /proc/net/dev | grep -vc "^ *lo:")" = 0   # no network
	dpkg -i /dist/*.deb
	fanout version
	man -P cat fanout-run | head -5
	test -s /usr/share/bash-completion/completions/fanout
	cd /root && fanout init demo && fanout run demo/sweep.yaml && fanout status demo/walk.sweep
	dpkg -r fanout && test ! -e /usr/bin/fanout'
inside '
	cd /demo && python3 -m venv .venv
	.venv/bin/pip install -q --no-index --find-links /wheels -r requirements.txt
	.venv/bin/pip install -q --no-index --find-links /wheels /dist/*.whl
	export PATH=/demo/.venv/bin:$PATH
	fanout version
	fanout doctor
	fanout run examples/ab/sweep.yaml
	fanout status examples/ab/ab.sweep
	fanout compare examples/ab/ab.sweep | head -12'
echo "a fresh Debian $suite installed both and ran the demo with each"
