#!/bin/bash
# Builds the runner's image without a container engine: node, its libraries, CA certificates, dist/runner.cjs and the plugin,
# without a base image. Writes dist/runner.docker.tar and dist/runner.oci.tar. The same input gives the same digest.
# `build.sh BUNDLE IMAGE` builds another bundle of dist/ under another name.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

source deploy/image/parts.sh
BUNDLE=${1:-runner}
[ -f "dist/$BUNDLE.cjs" ] || die "dist/$BUNDLE.cjs is missing: npm run build"
[ "$(id -u)" = 0 ] || die "must run as root"
NODE=$(node -p 'process.execPath')
[ "$(node -p 'process.versions.node.split(".")[0]')" = 24 ] || die "needs Node 24 (npm run image has it on its PATH), this is $(node -v)"
IMAGE=${2:-$(node -p 'import("./shared/core/version.ts").then((v) => console.log(v.DEFAULT_IMAGE)), ""' | grep .)}

missing=()
for package in buildah binutils ca-certificates; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
    </dev/null >/dev/null 2>&1 || die "apt-get can't install ${missing[*]}"
fi

root=$work/root
umask 022
mkdir -p "$root"/{app,tmp,usr/local/bin,etc/ssl/certs}
chmod 1777 "$root/tmp"
strip -o "$root/usr/local/bin/node" "$NODE" # with its symbols the image would be over 120 MB
ldd "$NODE" | grep -o '/[^ ]*' | while read -r library; do
  install -D "$library" "$root$library"
done
install -m 644 "$(readlink -f /etc/ssl/certs/ca-certificates.crt)" "$root/etc/ssl/certs/ca-certificates.crt"
install -m 644 "dist/$BUNDLE.cjs" "$root/app/runner.cjs"
# For a CronJob that rehearses: docs/rehearsing.md.
[ "$BUNDLE" != runner ] || install -m 644 dist/kubectl-restorehooks "$root/app/kubectl-restorehooks"
echo 'runner:x:65532:65532::/:/sbin/nologin' >"$root/etc/passwd"
echo 'runner:x:65532:' >"$root/etc/group"

small "$root"
commit "$root"

rm -f "dist/$BUNDLE".{docker,oci}.tar
buildah push --quiet --format v2s2 "$id" "docker-archive:dist/$BUNDLE.docker.tar:$IMAGE"
buildah push --quiet --format oci --digestfile "$work/digest" "$id" "oci:$work/oci:$IMAGE"
pack "$work/oci" "dist/$BUNDLE.oci.tar"

echo "$IMAGE  $((bytes / 1000000)) MB unpacked  $(cat "$work/digest")"
for archive in "dist/$BUNDLE".{docker,oci}.tar; do
  echo "$archive  $(($(stat -c %s "$archive") / 1000000)) MB  sha256:$(sha256sum "$archive" | cut -d ' ' -f 1)"
done
