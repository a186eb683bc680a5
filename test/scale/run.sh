#!/bin/bash
# npm run test:scale [-- --pods N]: thousands of pods that don't exist, before a real API server.
# `run.sh -- COMMAND...` runs a command in the bed's network instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PATH=$PWD/node_modules/.bin:$PATH
export TESTBED=${TESTBED:-restorehooks-scale} RESTOREHOOKS_TEST_CLUSTER=1 RESTOREHOOKS_SCALE_BED=1
bed=$PWD/test/cluster/testbed
command=(node --test --test-force-exit test/scale/scale.test.ts)
if [ "${1:-}" = --pods ]; then export RESTOREHOOKS_SCALE_PODS=$2; fi
if [ "${1:-}" = -- ]; then command=("${@:2}"); fi

# stdout is the tests' or the command's own.
{
  node build.mjs
  "$bed" down # what a crash has left
  trap '"$bed" down >&2' EXIT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  trap 'exit 130' INT
  "$bed" scale up
} >&2

"$bed" in "${command[@]}" </dev/null
