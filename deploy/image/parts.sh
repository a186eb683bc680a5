# What build.sh and index.sh share; both source it. Sets $work, a temporary folder, and removes it at the end.

die() {
  echo "image: $*" >&2
  exit 1
}

work=$(mktemp -d)
containers=()
# The storage is in the temporary folder, so that only the archives are left.
buildah() { command buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
cleanup() {
  ((${#containers[@]} == 0)) || buildah rm "${containers[@]}" >/dev/null
  rm -rf "$work"
}
trap cleanup EXIT

# commit ROOT [CONFIG...]: sets $id to an image of ROOT's files. It gets no name, because archives would contain it beside
# their own.
commit() {
  local container
  container=$(buildah from scratch)
  containers+=("$container")
  buildah copy --quiet "$container" "$1" / >/dev/null
  # There is no base image, and buildah would annotate an empty name and digest of one: "--annotation -" takes that away.
  # One arena, and a fixed threshold, so that glibc gives freed memory back. A small nursery, which V8 collects often.
  buildah config --annotation - --user 65532:65532 --env PATH=/usr/local/bin --env NODE_ENV=production \
    --env MALLOC_ARENA_MAX=1 --env MALLOC_TRIM_THRESHOLD_=131072 --env NODE_OPTIONS=--max-semi-space-size=4 \
    --workingdir /app --entrypoint '["/usr/local/bin/node", "/app/runner.cjs"]' \
    --created-by 'npm run image' "${@:2}" "$container"
  id=$(buildah commit --quiet --timestamp 0 --omit-history --identity-label=false "$container")
}

# small ROOT: sets $bytes to the size of its files.
small() {
  bytes=$(du -sb "$1" | cut -f 1)
  ((bytes <= 120000000)) || die "$((bytes / 1000000)) MB unpacked: more than 120"
}

# pack FOLDER ARCHIVE: an OCI layout. Not oci-archive, because that contains the time of the build.
pack() {
  tar -C "$1" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$2" oci-layout index.json blobs
}
