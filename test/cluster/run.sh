#!/bin/bash
# npm run test:cluster: the cluster and end-to-end tests on a real Kubernetes, which is taken down whatever happens.
# `run.sh FILE...` runs only these test files, `run.sh -- COMMAND...` a command in the cluster's network instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PATH=$PWD/node_modules/.bin:$PATH
export TESTBED=${TESTBED:-restorehooks-ci}
bed=$PWD/test/cluster/testbed

shopt -s globstar nullglob
if [ "${1:-}" = -- ]; then
  command=("${@:2}")
else
  files=("$@")
  ((${#files[@]})) || files=(test/cluster/**/*.test.ts test/fidelity/*.test.ts test/e2e/**/*.test.ts)
  ((${#files[@]})) || {
    echo "test:cluster: no test files" >&2
    exit 1
  }
  command=(node --test --test-force-exit --test-concurrency=1 "${files[@]}")
fi

# stdout is the tests' or the command's own.
{
  node build.mjs
  bash deploy/image/build.sh
  "$bed" down # what a crash has left
  trap '"$bed" down >&2' EXIT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  trap 'exit 130' INT
  "$bed" up
  "$bed" load dist/runner.docker.tar
} >&2
RESTOREHOOKS_TEST_CLUSTER=1 "$bed" in "${command[@]}" </dev/null
