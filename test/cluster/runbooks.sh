# What examples/runbooks needs in the bed; sourced by testbed.

EXAMPLES=$HERE/../../examples/runbooks
DOCKERFILE=$EXAMPLES/Dockerfile
RUNBOOKS=$TESTBED_HOME/runbooks-$(cat "$DOCKERFILE" "$HERE/runbooks.sh" | sha256sum | head -c 8)

# Needs the network, so it can't be called by a test in the bed.
runbooks_build() { once runbooks_make; }

runbooks_make() {
  [ -e "$RUNBOOKS" ] && return 0
  echo "testbed: making the image of the runbooks (a minute, once)"
  rm -rf "$RUNBOOKS.new"
  mkdir -p "$RUNBOOKS.new/schemas"
  servers "$RUNBOOKS.new/servers.tar"
  schema github.com/argoproj/argo-workflows/v3@v3.7.0 manifests/base/crds/full/argoproj.io_workflowtemplates.yaml
  schema github.com/tektoncd/pipeline@v1.6.0 config/300-crds/300-task.yaml
  schema github.com/tektoncd/pipeline@v1.6.0 config/300-crds/300-taskrun.yaml
  mv "$RUNBOOKS.new" "$RUNBOOKS"
}

# servers FILE: the image that the Dockerfile describes, of the same packages. They are unpacked and not set up, which takes
# a third of the time: the workloads set up their servers themselves.
servers() {
  local names path dir
  names=$(sed -nE 's/^ARG PACKAGES="(.*)"$/\1/p' "$DOCKERFILE")
  path=$(sed -nE 's/^ENV PATH=(.*)$/\1/p' "$DOCKERFILE")
  if [ -z "$names" ] || [ -z "$path" ]; then die "can't read $DOCKERFILE"; fi
  packages mmdebstrap
  dir=$(mktemp -d)
  mmdebstrap --mode=root --variant=extract --aptopt='Apt::Install-Recommends "false"' --include="$names" \
    --include=base-passwd,bash,coreutils,dash,debianutils,findutils,grep,hostname,mawk,sed,util-linux \
    bookworm "$dir" >"$TESTBED_HOME/runbooks.log" 2>&1 ||
    die "can't make the image of the runbooks: $(tail -n 1 "$TESTBED_HOME/runbooks.log") ($TESTBED_HOME/runbooks.log)"
  # LLVM compiles PostgreSQL's queries. It is a quarter of the image, and PostgreSQL does without.
  rm -rf "$dir"/{dev,var/{cache,lib},usr/share/{doc,i18n,locale,man,perl},usr/lib/*/{libLLVM*,perl},usr/lib/postgresql/*/lib/bitcode}
  mkdir -p "$dir"/{dev,tmp,var/{cache,lib}}
  chmod 1777 "$dir/tmp"
  { cat "$dir/usr/share/base-passwd/passwd.master" && echo 'app:x:1000:1000::/:/bin/sh'; } >"$dir/etc/passwd"
  { cat "$dir/usr/share/base-passwd/group.master" && echo 'app:x:1000:'; } >"$dir/etc/group"
  archive registry.example.com/servers:1 "$dir" "{\"User\": \"1000\", \"Env\": [\"PATH=$path\"]}" "$1"
  rm -r "$dir"
}

# schema MODULE FILE: a resource's definition, as published in a Go module
schema() {
  local folder
  folder=$(cd / && PATH=$PATH:/usr/local/go/bin go mod download -json "$1" | sed -nE 's/^\t"Dir": "(.*)",$/\1/p') ||
    die "can't download $1"
  cp "$folder/$2" "$RUNBOOKS.new/schemas"
}

# program FILE NAME PATH: a program of the bed, as the image of this name that the runbooks use
program() {
  local name root
  name=$(grep -rhoE "image: [^ ]+/$2:[^ ]+" "$EXAMPLES") || die "no runbook uses an image of $2"
  root=$(mktemp -d)
  chmod 755 "$root"
  # shellcheck disable=SC2046
  cp -L --parents $(ldd "$1" | grep -o '/[^ :]*lib[^ :)]*') "$root"
  install -D "$1" "$root/$3"
  image "${name#image: }" "$root" "{\"Entrypoint\": [\"/$3\"]}"
  rm -r "$root"
}

runbooks_up() {
  runbooks_build
  load "$RUNBOOKS/servers.tar"
  program "$BIN/kubectl" kubectl bin/kubectl
  program "$VELERO_BIN/velero" velero velero
}

# The definitions are large. While the API server takes them in, it is slow to answer others.
runbooks_define() {
  # `apply` would keep each definition in an annotation, for which it is too long.
  with_schemas create
  # `wait` fails at a definition that has no conditions yet.
  wait_for 120 apiserver with_schemas wait --for=condition=Established --timeout=10s
}
runbooks_undefine() { with_schemas delete --ignore-not-found; }
with_schemas() { kubectl "$@" --filename "$RUNBOOKS/schemas" >/dev/null; }
