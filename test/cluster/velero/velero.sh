# Velero in the bed; sourced by testbed. Its server is a plain process, its backups are plain files in the bed's folder.

VELERO_VERSION=$(sed -nE 's|^.*vmware-tanzu/velero v([0-9.]+)( .*)?$|\1|p' "$HERE/velero/go.mod")
[ -n "$VELERO_VERSION" ] || die "no version of Velero in $HERE/velero/go.mod"
VELERO_BIN=$TESTBED_HOME/velero-$VELERO_VERSION-$(cat "$HERE/velero"/{go.mod,object-store/*.go} | sha256sum | head -c 8)
STORE=127.0.0.1:9000

# Needs the network, so it can't be called by a test in the bed.
velero_build() { once velero_make; }

velero_make() {
  [ -e "$VELERO_BIN" ] && return 0
  echo "testbed: building Velero $VELERO_VERSION (up to 5 minutes, once)"
  go_build "$HERE/velero" "$VELERO_BIN.new" -ldflags \
    "-s -w -X github.com/vmware-tanzu/velero/pkg/buildinfo.Version=v$VELERO_VERSION" tool ./object-store
  mkdir "$VELERO_BIN.new/plugins"
  mv "$VELERO_BIN.new/object-store" "$VELERO_BIN.new/plugins"
  mv "$VELERO_BIN.new" "$VELERO_BIN"
}

velero_cli() { nsenter --net="$NETNS" -- "$VELERO_BIN/velero" --kubeconfig "$RUN/admin.conf" --namespace velero "$@"; }

# The server restores nothing unless it finds a Deployment of its name in the Restores' namespace.
velero_objects() {
  cat <<END
apiVersion: apps/v1
kind: Deployment
metadata: {name: velero, namespace: velero}
spec:
  replicas: 0
  selector: {matchLabels: {app: velero}}
  template:
    metadata: {labels: {app: velero}}
    spec: {containers: [{name: velero, image: testbed.local/pause:1}]}
---
apiVersion: velero.io/v1
kind: BackupStorageLocation
metadata: {name: default, namespace: velero}
spec:
  provider: testbed.local/files
  default: true
  objectStorage: {bucket: bucket}
  config: {folder: $RUN/velero/objects, url: "http://$STORE"}
END
}

# The argument is --resource-timeout: how long a Restore whose hook can't run stays in Finalizing.
velero_start() {
  alive velero && die "velero is running"
  # A session of its own, so that its plugins can be ended with it.
  launch velero setsid env HOME="$RUN/velero" TMPDIR="$RUN/velero" VELERO_SCRATCH_DIR="$RUN/velero" VELERO_NAMESPACE=velero \
    "$VELERO_BIN/velero" server --kubeconfig admin.conf -n velero --plugin-dir "$VELERO_BIN/plugins" \
    --metrics-address 127.0.0.1:8085 --resource-timeout "${1:-30s}"
}
velero_kill() {
  local pid
  pid=$(pid_of velero) && inside sh -c 'kill -9 "-$1"' sh "$pid" 2>/dev/null || die "velero is not running"
  while alive velero; do sleep 0.05; done
}

velero_up() {
  ! alive object-store || velero_down # what a crash has left
  velero_build
  cd "$RUN"
  mkdir -p velero/objects/bucket
  velero_cli install --crds-only --dry-run -o yaml |
    kubectl apply --server-side --force-conflicts --validate=false -f - >velero-crds.log || die "can't install Velero's resources"
  wait_for 60 apiserver kubectl get backupstoragelocations.velero.io --namespace velero
  velero_objects | kubectl apply --validate=false -f - >/dev/null
  launch object-store "$VELERO_BIN/plugins/object-store" serve "$RUN/velero/objects" "$STORE"
  velero_start
  wait_for 60 velero kubectl wait --for=jsonpath='{.status.phase}'=Available --timeout=1s \
    --namespace velero backupstoragelocation/default
  echo "testbed: Velero $VELERO_VERSION is up"
}

# Puts the bed's own schema of Restores back, because Velero's is stricter than other suites need.
velero_down() {
  ! alive velero || velero_kill
  ! alive object-store || kill_part object-store
  kubectl replace -f "$HERE/velero-crds.yaml" >/dev/null
  kubectl delete customresourcedefinitions --selector component=velero >/dev/null
  kubectl delete deployment velero --namespace velero --ignore-not-found >/dev/null
}
