#!/bin/bash
# What: gopkg.in/evanphx/json-patch.v4 v4.13.0, with which an API server applies JSON Patches, compares the text of a
#   `test` value with the text of the document. Go's encoder writes < as \u003c in the document, so a `test` whose string
#   has a plain < always fails.
# Why: every annotation hook of Velero is called <from-annotation>. A `test` of a status that contains this name
#   always failed, so a runner could never write its last status.
# Date: 2026-11-28
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END'
module finding

go 1.22

require gopkg.in/evanphx/json-patch.v4 v4.13.0
END
cat >main.go <<'END'
package main

import (
	"encoding/json"
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
)

func main() {
	document, _ := json.Marshal(map[string]string{"a": "<x>"})
	for _, value := range []string{`"<x>"`, `"\u003cx\u003e"`, `"\u003Cx\u003E"`} {
		patch, err := jsonpatch.DecodePatch([]byte(`[{"op": "test", "path": "/a", "value": ` + value + `}]`))
		if err != nil {
			panic(err)
		}
		_, err = patch.Apply(document)
		fmt.Println(value, err == nil)
	}
}
END
GOFLAGS=-mod=mod go run . >seen
cat seen
diff seen - <<'END'
"<x>" false
"\u003cx\u003e" true
"\u003Cx\u003E" false
END
