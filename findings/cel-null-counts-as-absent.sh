#!/bin/bash
# What: @bufbuild/cel 0.6.1. Of a key whose value is null, `in` and `has` say that it isn't there, in an object as in a map that
#   the expression itself makes; yet the map's size counts it, and reading it gives null. github.com/google/cel-go v0.26.0, the
#   library by which Flux evaluates healthCheckExprs, says that it is there.
# Why: test/unit/gitops.test.ts tries the expressions of docs/gitops.md with @bufbuild/cel. They ask with `in` and `has` for
#   annotations, whose values are never null. Of a field that can be null the test would show another health than Flux.
# Date: 2026-11-30
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >restore.json <<'END'
{"apiVersion": "velero.io/v1", "kind": "Restore", "metadata": {"name": "nightly"}, "status": {"errors": 0, "hookStatus": null}}
END
cat >expressions.json <<'END'
["has(status.errors)", "has(status.hookStatus)", "'hookStatus' in status", "'a' in {'a': null}", "size(status)",
 "status.hookStatus == null", "has(status.other)"]
END

echo '{"type": "module"}' >package.json
npm install --silent --no-audit --no-fund node@24.21.0 @bufbuild/cel@0.6.1
cat >main.js <<'END'
import { readFileSync } from 'node:fs';
import { run } from '@bufbuild/cel';

const read = (name) => JSON.parse(readFileSync(name, 'utf8'));
const { status } = read('restore.json');
for (const expression of read('expressions.json')) console.log(`${expression}: ${run(expression, { status })}`);
END
node_modules/node/bin/node main.js >javascript

cat >go.mod <<'END'
module finding

go 1.25.0

require (
	github.com/google/cel-go v0.26.0
	k8s.io/apimachinery v0.35.4
)
END
cat >main.go <<'END'
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func read(name string, into any) {
	text, err := os.ReadFile(name)
	if err != nil {
		panic(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		panic(err)
	}
}

func main() {
	var restore unstructured.Unstructured
	var expressions []string
	read("restore.json", &restore)
	read("expressions.json", &expressions)
	env, err := cel.NewEnv(cel.Variable("status", cel.DynType))
	if err != nil {
		panic(err)
	}
	for _, expression := range expressions {
		ast, issues := env.Compile(expression)
		if issues.Err() != nil {
			panic(issues.Err())
		}
		program, err := env.Program(ast)
		if err != nil {
			panic(err)
		}
		value, _, err := program.Eval(map[string]any{"status": restore.Object["status"]})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %v\n", expression, value.Value())
	}
}
END
GOFLAGS=-mod=mod go mod tidy 2>/dev/null
GOFLAGS=-mod=mod go run . 2>/dev/null >go
paste -d '|' javascript go | sed 's/|.*: / in JavaScript, in Go /' >seen
cat seen
diff seen - <<'END'
has(status.errors): true in JavaScript, in Go true
has(status.hookStatus): false in JavaScript, in Go true
'hookStatus' in status: false in JavaScript, in Go true
'a' in {'a': null}: false in JavaScript, in Go true
size(status): 2 in JavaScript, in Go 2
status.hookStatus == null: true in JavaScript, in Go true
has(status.other): false in JavaScript, in Go false
END
