// Plans with Velero's own function: hooks of the Restore in FILE ({"restore": …, "pods": […]}) for its pods.
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"
	"time"

	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"

	"github.com/vmware-tanzu/velero/internal/hook"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

func main() {
	bytes, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var input struct {
		Restore velerov1.Restore
		Pods    []corev1.Pod
	}
	if err := json.Unmarshal(bytes, &input); err != nil {
		log.Fatal(err)
	}
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	from := time.Now()
	entries, err := hook.GetRestoreHooksFromSpec(&input.Restore.Spec.Hooks)
	if err != nil {
		log.Fatal(err)
	}
	tracker := hook.NewMultiHookTracker()
	hooks := 0
	for index := range input.Pods {
		byContainer, err := hook.GroupRestoreExecHooks(input.Restore.Name, entries, &input.Pods[index], logger, tracker)
		if err != nil {
			log.Fatal(err)
		}
		for _, some := range byContainer {
			hooks += len(some)
		}
	}
	took := time.Since(from)
	json.NewEncoder(os.Stdout).Encode(map[string]float64{"ms": float64(took.Microseconds()) / 1000, "hooks": float64(hooks)})
}
