#!/bin/bash
# What: sigs.k8s.io/cli-utils v0.37.2, whose kstatus says whether an object has reached its desired state. It takes a Job for
#   Current as soon as it has started, also while each try fails. Its README names no such rule. Flux, which is built on it,
#   reads Jobs by a reader of its own (github.com/fluxcd/pkg/runtime v0.115.0): there a Job is Current once it is complete, but
#   a suspended Job is, too, which kstatus takes for one in progress.
# Why: docs/gitops.md has what depends on the hooks wait for the runner's Job. That holds with Flux and with Argo CD. A tool that
#   uses kstatus as it is (cli-utils' own applier, and so kpt) opens the restored application while its hooks run; and with Flux
#   a Job that a queue such as Kueue holds back counts as done.
# Date: 2026-11-30
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END'
module finding

go 1.26.0

require (
	github.com/fluxcd/pkg/runtime v0.115.0
	sigs.k8s.io/cli-utils v0.37.2
)
END
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"

	"github.com/fluxcd/pkg/runtime/statusreaders"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

const job = `{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "hooks", "namespace": "velero", "generation": 1},
	"spec": {"completions": 1, "parallelism": 1, "backoffLimit": 6, "suspend": %s}, "status": %s}`

func main() {
	for _, now := range []struct{ name, suspend, status string }{
		{"not started", `false`, `{}`},
		{"its pod runs", `false`, `{"startTime": "2026-11-30T10:00:00Z", "active": 1, "ready": 1}`},
		{"three pods have failed", `false`, `{"startTime": "2026-11-30T10:00:00Z", "active": 1, "failed": 3}`},
		{"complete", `false`, `{"startTime": "2026-11-30T10:00:00Z", "succeeded": 1,
			"conditions": [{"type": "Complete", "status": "True"}]}`},
		{"failed", `false`, `{"startTime": "2026-11-30T10:00:00Z", "failed": 7, "conditions": [{"type": "Failed", "status": "True"}]}`},
		{"suspended", `true`, `{"conditions": [{"type": "Suspended", "status": "True"}]}`},
	} {
		var object unstructured.Unstructured
		if err := object.UnmarshalJSON(fmt.Appendf(nil, job, now.suspend, now.status)); err != nil {
			panic(err)
		}
		plain, err := status.Compute(&object)
		if err != nil {
			panic(err)
		}
		flux, err := statusreaders.NewCustomJobStatusReader(nil).ReadStatusForObject(context.Background(), nil, &object)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: kstatus %s, Flux %s\n", now.name, plain.Status, flux.Status)
	}
}
END
GOFLAGS=-mod=mod go mod tidy 2>/dev/null
GOFLAGS=-mod=mod go run . 2>/dev/null >seen
cat seen
diff seen - <<'END'
not started: kstatus InProgress, Flux InProgress
its pod runs: kstatus Current, Flux InProgress
three pods have failed: kstatus Current, Flux InProgress
complete: kstatus Current, Flux Current
failed: kstatus Failed, Flux Failed
suspended: kstatus InProgress, Flux Current
END
