#!/bin/bash
# npm run test:cluster: the cluster and end-to-end tests on a real Kubernetes, which is taken down whatever happens.
# `run.sh FILE...` runs only these test files, `run.sh -- COMMAND...` a command in the cluster's network instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PATH=$PWD/node_modules/.bin:$PATH
export TESTBED=${TESTBED:-restorehooks-ci}
bed=$PWD/test/cluster/testbed

# These run one at a time, after the others. Most of them disturb the others: they kill or restart parts of the cluster,
# replace Velero's CRDs, taint the node, or start hundreds of commands. Those of test/e2e need answers without delay.
alone=(test/cluster/{deploy,detach,exec-bytes,exec,faults,quick-start,rehearse,runbooks,velero,watch}.test.ts test/e2e/{faults,job-fit,lambda,scale,twice,whose-pod}.test.ts test/fidelity/fidelity.test.ts)

run_files() { # JOBS FILE...
  RESTOREHOOKS_TEST_CLUSTER=1 "$bed" in node test/run.ts --full --limit 1200 --jobs "$@" </dev/null
}

# stdout is the tests' or the command's own.
{
  node build.mjs
  bash deploy/image/build.sh
  # There is no network in the bed.
  "$bed" velero build
  "$bed" runbooks build
  "$bed" down # what a crash has left
  trap '"$bed" down >&2' EXIT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  trap 'exit 130' INT
  "$bed" up
  "$bed" load dist/runner.docker.tar
} >&2

if [ "${1:-}" = -- ]; then
  RESTOREHOOKS_TEST_CLUSTER=1 "$bed" in "${@:2}" </dev/null
elif (($#)); then
  run_files 1 "$@"
else
  shopt -s globstar
  together=()
  for file in test/{cluster,e2e,fidelity}/**/*.test.ts; do
    [[ " ${alone[*]} " == *" $file "* ]] || together+=("$file")
  done
  code=0
  run_files 3 "${together[@]}" || code=1
  run_files 1 "${alone[@]}" || code=1
  exit "$code"
fi
