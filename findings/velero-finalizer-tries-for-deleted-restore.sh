#!/bin/bash
# What: github.com/vmware-tanzu/velero v1.18.3, client.RetryOnErrorMaxBackOff, by which Velero's only finalizer of Restores
#   writes how a Restore has ended. It tries again after every error, also after "not found", which nothing can mend; and its
#   duration limits a single pause, not all of them: pauses grow fivefold from 10 ms until the next one would be longer. With
#   Velero's default of ten minutes that is 195 s and more.
# Why: seen with a real Velero: a Restore that was deleted while Velero restored was gone when its end was written, and for
#   214 s no other Restore was finalized, so that hooks that wait for that waited, too. `rehearse` deletes a Restore only
#   once Velero is done with it.
# Date: 2026-11-30
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END'
module finding

go 1.25.0

require (
	github.com/vmware-tanzu/velero v1.18.3
	k8s.io/apimachinery v0.33.3
)
END
cat >main.go <<'END'
package main

import (
	"fmt"
	"time"

	velero "github.com/vmware-tanzu/velero/pkg/client"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func main() {
	restores := schema.GroupResource{Group: "velero.io", Resource: "restores"}
	tries, since := 0, time.Now()
	err := velero.RetryOnErrorMaxBackOff(20*time.Second, func() error {
		tries++
		return apierrors.NewNotFound(restores, "deleted")
	})
	spent := time.Since(since)
	fmt.Println("the error:", err)
	fmt.Println("tries:", tries)
	fmt.Println("more than 7 s:", spent > 7*time.Second)
}
END
GOFLAGS=-mod=mod go mod tidy 2>/dev/null
GOFLAGS=-mod=mod go run . 2>/dev/null >seen
cat seen
diff seen - <<'END'
the error: restores.velero.io "deleted" not found
tries: 5
more than 7 s: true
END
