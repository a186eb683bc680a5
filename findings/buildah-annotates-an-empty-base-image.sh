#!/bin/bash
# What: buildah 1.28.2 (Debian 12) annotates each manifest that it commits in the OCI format with the base image's name and
#   digest. `from scratch` there is no base image, and both annotations are there all the same, with empty texts. The OCI image
#   specification wants a digest in the one and a name in the other. `buildah config --annotation -` takes them away; there is
#   no flag for it at `commit`.
# Why: our image is made from scratch. Who reads org.opencontainers.image.base.digest to find images whose base is out of date
#   parses an empty text as a digest. deploy/image/parts.sh takes them away.
# Date: 2026-11-30. It needs Debian 12 on amd64, and root.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq buildah=1.28.2+ds1-3+deb12u1+b3 libgpgme11=1.18.0-3+deb12u1 2>/dev/null
for package in *.deb; do dpkg -x "$package" tools; done
export PATH=$dir/tools/usr/bin:$PATH LD_LIBRARY_PATH=$dir/tools/usr/lib/x86_64-linux-gnu STORAGE_DRIVER=vfs
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >policy.json
annotations() { # NAME [CONFIG…]
  local container
  container=$(buildah --root "$dir/root" --runroot "$dir/run" from scratch)
  (($# == 1)) || buildah --root "$dir/root" --runroot "$dir/run" config "${@:2}" "$container"
  buildah --root "$dir/root" --runroot "$dir/run" commit --quiet --signature-policy policy.json "$container" "oci:$dir/$1:x" >/dev/null
  node -e '
    const { readFileSync } = require("node:fs");
    const read = (path) => JSON.parse(readFileSync(`${process.argv[1]}/${path}`, "utf8"));
    const [{ digest }] = read("index.json").manifests;
    console.log(JSON.stringify(read(`blobs/${digest.replace(":", "/")}`).annotations ?? {}));
  ' "$dir/$1"
}
buildah --version
annotations plain | tee plain.txt
annotations without --annotation - | tee without.txt
[ "$(cat plain.txt)" = '{"org.opencontainers.image.base.digest":"","org.opencontainers.image.base.name":""}' ]
[ "$(cat without.txt)" = '{}' ]
echo 'as found: two empty annotations, and none with --annotation -'
