#!/bin/bash
# What: github.com/vmware-tanzu/velero v1.18.3. A restore hook whose waitTimeout passes while an earlier hook of its container
#   runs is recorded as failed ("expired before executing"), and is then run all the same, unless it has onError: Fail. What it
#   does is not looked at any more: it counts as failed even if it succeeds.
# Why: the documentation calls waitTimeout the longest wait, and Continue (the default) says only that a failure is logged. Who
#   reads that a hook was never executed runs it by hand, a second time. Here it ends TimedOut and doesn't run: R3.17 of
#   docs/contract.md.
# Date: 2026-11-30. The module's name begins with Velero's, because Go lets no other import its internal packages.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END'
module github.com/vmware-tanzu/velero/finding

go 1.26.0

require github.com/vmware-tanzu/velero v1.18.3
END
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/vmware-tanzu/velero/internal/hook"
	velero "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/tools/cache"
	fcache "k8s.io/client-go/tools/cache/testing"
)

var pod = &corev1.Pod{
	ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db-0"},
	Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}},
	Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{
		{Name: "main", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
	}},
}

// A watch that shows the pod.
type pods struct{}

func (pods) NewListWatch(string, fields.Selector) cache.ListerWatcher {
	source := fcache.NewFakeControllerSource()
	source.Add(pod)
	return source
}

// Runs no command, but takes as long as one.
type executor struct{}

func (executor) ExecutePodCommand(_ logrus.FieldLogger, _ map[string]any, _, _, name string, exec *velero.ExecHook) error {
	fmt.Println("runs:", exec.Command[0])
	time.Sleep(2 * time.Second)
	return nil
}

func exec(command string, wait time.Duration) velero.RestoreResourceHook {
	return velero.RestoreResourceHook{Exec: &velero.ExecRestoreHook{
		Command: []string{command}, WaitTimeout: metav1.Duration{Duration: wait}, OnError: velero.HookErrorModeContinue,
	}}
}

func main() {
	log := logrus.New()
	log.SetOutput(io.Discard)
	hooks, err := hook.GetRestoreHooksFromSpec(&velero.RestoreHooks{Resources: []velero.RestoreResourceHookSpec{{
		Name: "db", PostHooks: []velero.RestoreResourceHook{exec("load-dump", time.Minute), exec("open-for-users", time.Second)},
	}}})
	if err != nil {
		panic(err)
	}
	tracker := hook.NewMultiHookTracker()
	grouped, err := hook.GroupRestoreExecHooks("nightly", hooks, pod, log, tracker)
	if err != nil {
		panic(err)
	}
	handler := hook.DefaultWaitExecHookHandler{ListWatchFactory: pods{}, PodCommandExecutor: executor{}}
	for _, err := range handler.HandleHooks(context.Background(), log, pod, grouped, tracker, "nightly") {
		fmt.Println("error:", err)
	}
	attempted, failed := tracker.Stat("nightly")
	fmt.Printf("attempted %d, failed %d\n", attempted, failed)
}
END
GOFLAGS=-mod=mod go mod tidy 2>/dev/null
GOFLAGS=-mod=mod go run . 2>/dev/null >seen
cat seen
diff seen - <<'END'
runs: load-dump
runs: open-for-users
error: hook db in container main expired before executing
attempted 2, failed 1
END
