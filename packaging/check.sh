#!/usr/bin/env bash
# `make dist-check`: builds everything twice, in two clones of the commit in two
# folders, and compares the bytes; then has other programs look at what was built.
# Arguments are those of packaging: -only linux_amd64 checks one target.
# FRESH=1 gives the second building an empty cache of Go's, which takes much longer.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
commit=$(git rev-parse HEAD) # which stays, whatever is committed meanwhile
for clone in one another-place; do
	git clone -q . "$work/$clone"
	git -C "$work/$clone" checkout -q --detach "$commit"
	cache=$(go env GOCACHE)
	[ "$clone" = one ] || [ -z "${FRESH:-}" ] || cache=$work/cache
	(cd "$work/$clone" && umask "$([ "$clone" = one ] && echo 022 || echo 027)" && GOCACHE=$cache go run ./packaging -o "$work/$clone/dist" "$@")
done
diff -r "$work/one/dist" "$work/another-place/dist"
cd "$work/one/dist"
echo "two buildings are the same: $(wc -l <SHA256SUMS) files"
sha256sum --quiet -c SHA256SUMS

python3 -m venv "$work/env"
"$work/env/bin/pip" install -q --disable-pip-version-check spdx-tools==0.8.5 twine==7.0.0
for bill in *.spdx.json; do "$work/env/bin/pyspdxtools" -i "$bill"; done
echo "the bills of materials are valid SPDX"
"$work/env/bin/twine" check --strict ./*.whl
if command -v dpkg-deb >/dev/null; then for deb in *.deb; do dpkg-deb -I "$deb" >/dev/null; done; echo "dpkg reads the packages"; fi
if command -v rpm >/dev/null; then rpm -K --nosignature ./*.rpm; fi
