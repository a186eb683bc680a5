// measured FILE COMMAND...: runs a command and writes what it took, by the kernel's own figures, as JSON into a file.
package main

import (
	"encoding/json"
	"log"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func main() {
	command := exec.Command(os.Args[2], os.Args[3:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	from := time.Now()
	err := command.Run()
	wall := time.Since(from)
	if command.ProcessState == nil {
		log.Fatal(err)
	}
	usage := command.ProcessState.SysUsage().(*syscall.Rusage)
	took, _ := json.Marshal(map[string]float64{
		"wallS":   wall.Seconds(),
		"cpuS":    (command.ProcessState.UserTime() + command.ProcessState.SystemTime()).Seconds(),
		"peakMiB": float64(usage.Maxrss) / 1024,
	})
	if err := os.WriteFile(os.Args[1], took, 0o644); err != nil {
		log.Fatal(err)
	}
	os.Exit(command.ProcessState.ExitCode())
}
