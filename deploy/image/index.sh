#!/bin/bash
# index.sh ARCHIVE ARCH=ROOT...: writes one OCI archive with an index of an image for each architecture, of the files that
# `npm run release` has put together. The same files give the same bytes. Takes IMAGE, VERSION and REPOSITORY from the
# environment.
set -euo pipefail
archive=$1
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source deploy/image/parts.sh
[ "$(id -u)" = 0 ] || die "must run as root"
umask 022

label() { settings+=(--label "org.opencontainers.image.$1=$2" --annotation "org.opencontainers.image.$1=$2"); }
settings=()
label title 'restorehooks runner'
label description 'Runs the hooks of Velero restores'
label version "$VERSION"
label licenses Apache-2.0
label source "$REPOSITORY"
label url "$REPOSITORY"
label documentation "$REPOSITORY/blob/v$VERSION/docs/setup.md"

buildah manifest create index >/dev/null
for part in "${@:2}"; do
  root=${part#*=}
  install -d -m 1777 "$root/tmp"
  small "$root"
  commit "$root" --arch "${part%%=*}" --os linux "${settings[@]}"
  buildah manifest add index "$id" >/dev/null
  echo "$IMAGE  ${part%%=*}  $((bytes / 1000000)) MB unpacked"
done
buildah manifest push --quiet --all --format oci index "oci:$work/oci:$IMAGE"
rm -f "$archive"
pack "$work/oci" "$archive"
