// A plain client-go program that does a runner's bare work: it lists the pods of a Restore, and runs a command in each, or
// several that `--` parts, so many pods at once. It keeps no journal, watches nothing, tries nothing again and reports
// nothing.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"log"
	"os"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
)

func main() {
	atOnce := flag.Int("at-once", 64, "how many commands run at once")
	selector := flag.String("l", "", "the pods' labels")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		log.Fatal(err)
	}
	config.QPS = -1
	client := kubernetes.NewForConfigOrDie(config)
	ctx := context.Background()
	pods, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: *selector})
	if err != nil {
		log.Fatal(err)
	}
	commands := parted(flag.Args())
	var next, succeeded atomic.Int64
	var lanes sync.WaitGroup
	for range *atOnce {
		lanes.Go(func() {
			for at := next.Add(1) - 1; at < int64(len(pods.Items)); at = next.Add(1) - 1 {
				for _, command := range commands {
					if err := run(ctx, config, client, &pods.Items[at], command); err != nil {
						log.Print(err)
						break
					}
					succeeded.Add(1)
				}
			}
		})
	}
	lanes.Wait()
	planned := int64(len(pods.Items) * len(commands))
	json.NewEncoder(os.Stdout).Encode(map[string]int64{"planned": planned, "succeeded": succeeded.Load()})
	if succeeded.Load() < planned {
		os.Exit(1)
	}
}

func parted(arguments []string) [][]string {
	commands := [][]string{nil}
	for _, argument := range arguments {
		if argument == "--" {
			commands = append(commands, nil)
		} else {
			commands[len(commands)-1] = append(commands[len(commands)-1], argument)
		}
	}
	return commands
}

// run runs a command as kubectl does: by WebSocket, else by SPDY.
func run(ctx context.Context, config *rest.Config, client *kubernetes.Clientset, pod *corev1.Pod, command []string) error {
	url := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: pod.Spec.Containers[0].Name, Command: command, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec).URL()
	spdy, err := remotecommand.NewSPDYExecutor(config, "POST", url)
	if err != nil {
		return err
	}
	socket, err := remotecommand.NewWebSocketExecutor(config, "GET", url.String())
	if err != nil {
		return err
	}
	executor, err := remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		return err
	}
	var output bytes.Buffer
	return executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &output, Stderr: &output})
}
