#!/bin/bash
# What: github.com/gobwas/glob v0.2.3, the glob library of Velero 1.18, gives other
#   results for other orders of a pattern's alternatives: {prod-*,stage}-db does not match prod-a-db, {stage,prod-*}-db
#   does. And ab*ba matches aba, because the b is used twice.
# Why: namespaces of a Restore are such patterns. A tool that reads them as shell globs plans hooks in other namespaces
#   than Velero.
# Date: 2026-11-28
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END'
module finding

go 1.22

require github.com/gobwas/glob v0.2.3
END
cat >main.go <<'END'
package main

import (
	"fmt"

	"github.com/gobwas/glob"
)

func main() {
	for _, pair := range [][2]string{{"{prod-*,stage}-db", "prod-a-db"}, {"{stage,prod-*}-db", "prod-a-db"}, {"ab*ba", "aba"}} {
		fmt.Println(pair[0], pair[1], glob.MustCompile(pair[0]).Match(pair[1]))
	}
}
END
GOFLAGS=-mod=mod go run . >seen
cat seen
diff seen - <<'END'
{prod-*,stage}-db prod-a-db false
{stage,prod-*}-db prod-a-db true
ab*ba aba true
END
