#!/bin/bash
# What: k8s.io/client-go v0.35.4, the library of kubectl. A request that is answered with a 5xx and a Retry-After header is sent
#   again, up to ten times, whatever its method. If a create was done, and such an error came in place of its answer, it is done
#   again: with a generateName there are then two objects, and the caller learns of one, without an error. Without the header
#   nothing is sent again.
# Why: a command that loads data is no read, and a Job that is created twice runs it twice. Here the objects of a run have fixed
#   names, and a write is sent again only after a 429: shared/kubernetes/api/retry-delay.ts.
# Date: 2026-11-30
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END'
module finding

go 1.25.0

require (
	k8s.io/api v0.35.4
	k8s.io/apimachinery v0.35.4
	k8s.io/client-go v0.35.4
)
END
cat >main.go <<'END'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// An API server that creates what it is asked for, behind a gateway that puts an error in place of the first answer.
func create(status int, retryAfter string) {
	names := []string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var job batchv1.Job
		if err := json.NewDecoder(r.Body).Decode(&job); err != nil {
			panic(err)
		}
		job.Name = fmt.Sprintf("%s%d", job.GenerateName, len(names)+1)
		names = append(names, job.Name)
		w.Header().Set("Content-Type", "application/json")
		if len(names) > 1 {
			w.WriteHeader(http.StatusCreated)
			json.NewEncoder(w).Encode(job)
			return
		}
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
	jobs := kubernetes.NewForConfigOrDie(config).BatchV1().Jobs("velero")
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{GenerateName: "load-"}}
	told, err := jobs.Create(context.Background(), job, metav1.CreateOptions{})
	fmt.Printf("%d, Retry-After %q: created %v, told of %q, failed: %v\n", status, retryAfter, names, told.GetName(), err != nil)
}

func main() {
	create(503, "")
	create(500, "1")
	create(503, "1")
	create(504, "1")
}
END
GOFLAGS=-mod=mod go mod tidy 2>/dev/null
GOFLAGS=-mod=mod go run . 2>/dev/null >seen
cat seen
diff seen - <<'END'
503, Retry-After "": created [load-1], told of "", failed: true
500, Retry-After "1": created [load-1 load-2], told of "load-2", failed: false
503, Retry-After "1": created [load-1 load-2], told of "load-2", failed: false
504, Retry-After "1": created [load-1 load-2], told of "load-2", failed: false
END
