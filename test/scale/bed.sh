# The scale bed; sourced by testbed. Thousands of pods that don't exist: kwok writes their statuses, and one small kubelet
# answers exec for all of them. API server and etcd are real; there are no controllers, no scheduler and no containers.

SCALE=$HERE/../scale
SCALE_BIN=$TESTBED_HOME/scale-$(cat "$SCALE"/{go.mod,kubelet/*.go} | sha256sum | head -c 8)
SCALE_NODES=20

scale_build() {
  [ -e "$SCALE_BIN" ] && return 0
  echo "testbed: building kwok, etcd and the scale bed's kubelet (up to 5 minutes, once)"
  go_build "$SCALE" "$SCALE_BIN.new" -ldflags '-s -w' tool ./kubelet
  mv "$SCALE_BIN.new/server" "$SCALE_BIN.new/etcd"
  mv "$SCALE_BIN.new" "$SCALE_BIN"
}

# Without controllers nobody else makes a namespace's ServiceAccount, which its pods need.
scale_objects() {
  local node
  for ((node = 1; node <= SCALE_NODES; node++)); do
    printf 'apiVersion: v1\nkind: Node\nmetadata: {name: node%s}\n---\n' $node
  done
  cat <<END
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: velero}
END
}

scale_up() {
  build
  once scale_build
  init >/dev/null && die "bed '$NAME' is already up"
  down # what a crash has left
  set -E
  trap 'echo "testbed: scale up: failed: $BASH_COMMAND (logs: $RUN)" >&2' ERR
  mkdir -p "$RUN/pki" "$RUN/cni" "$RUN/bin"
  ln -s "$SCALE_BIN/etcd" "$RUN/bin/etcd"
  cd "$RUN"
  identities >pki.log 2>&1
  certificate kwok /O=system:masters/CN=kwok >>pki.log 2>&1
  kubeconfig kwok
  configuration
  cgroups
  namespaces
  start etcd
  start apiserver
  ready
  kubectl create -f "$HERE/velero-crds.yaml" >/dev/null
  wait_for 60 apiserver kubectl get restores.velero.io --namespace velero
  scale_objects | kubectl create -f - >/dev/null
  scale_start
  wait_for 60 kwok kubectl wait --for=condition=Ready node/node1 --timeout=1s
  echo "testbed: bed '$NAME' is up for scale tests: Kubernetes $VERSION, state in $RUN"
}

scale_start() {
  launch kubelet "$SCALE_BIN/kubelet" -address $NODE_IP:10250 -cert pki/kubelet.crt -key pki/kubelet.key -client-ca pki/ca.crt
  launch kwok "$SCALE_BIN/kwok" --kubeconfig kwok.conf --config "$SCALE/kwok.yaml" --node-ip $NODE_IP --node-port 10250 \
    --server-address 127.0.0.1:10247 --cidr 10.128.0.0/12 -v WARN
}
