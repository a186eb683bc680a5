#!/bin/bash
# What: k8s.io/kubelet v0.35.4, the streaming server for container runtimes. When a command has ended it writes the status
#   and closes the connection, and doesn't wait until the client has read. If the client sends anything then, even a ping,
#   while output is still on its way, Linux answers with a reset: the rest of the output is lost, and the status with it.
# Why: clients send pings to keep a stream alive, also while they read slowly. With containerd 1.6 behind a real API server
#   a restore hook that had succeeded became Unknown. So nothing is sent here while output comes.
# Date: 2026-11-30
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END'
module finding

go 1.25.0

require (
	golang.org/x/net v0.47.0
	k8s.io/cri-api v0.35.4
	k8s.io/kubelet v0.35.4
)
END
cat >main.go <<'END'
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"golang.org/x/net/websocket"
	"k8s.io/client-go/tools/remotecommand"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/kubelet/pkg/cri/streaming"
)

const size = 16 << 20

// A command that prints 16 MiB and ends.
type command struct{ ended chan struct{} }

func (c command) Exec(_ context.Context, _ string, _ []string, _ io.Reader, out, _ io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize) error {
	defer close(c.ended)
	for range size / 32768 {
		if _, err := out.Write(make([]byte, 32768)); err != nil {
			return err
		}
	}
	return nil
}
func (command) Attach(context.Context, string, io.Reader, io.WriteCloser, io.WriteCloser, bool, <-chan remotecommand.TerminalSize) error {
	panic("not asked for")
}
func (command) PortForward(context.Context, string, int32, io.ReadWriteCloser) error {
	panic("not asked for")
}

// Reads 32 KiB at a time with a pause, and sends a ping when the command has ended.
func read(pings bool) string {
	ended := make(chan struct{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	config := streaming.DefaultConfig
	config.BaseURL = &url.URL{Scheme: "http", Host: listener.Addr().String()}
	server, err := streaming.NewServer(config, command{ended})
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, server)
	answer, err := server.GetExec(&runtimeapi.ExecRequest{ContainerId: "c", Cmd: []string{"print"}, Stdout: true})
	if err != nil {
		panic(err)
	}
	client, err := websocket.NewConfig("ws"+answer.Url[len("http"):], "http://localhost")
	if err != nil {
		panic(err)
	}
	// What the client has not read stays with the server's system.
	client.Dialer = &net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 65536) })
	}}
	client.Protocol = []string{"v4.channel.k8s.io"}
	socket, err := websocket.DialConfig(client)
	if err != nil {
		panic(err)
	}
	defer socket.Close()
	done, printed := false, 0
	for {
		select {
		case <-ended:
			if pings && !done {
				socket.PayloadType = websocket.PingFrame
				time.Sleep(50 * time.Millisecond)
				socket.Write([]byte("x"))
			}
			done = true
		default:
		}
		var frame []byte
		if err := websocket.Message.Receive(socket, &frame); err != nil {
			return fmt.Sprintf("all output: %v, no status, reset: %v", printed == size, errors.Is(err, syscall.ECONNRESET))
		}
		switch frame[0] {
		case 1:
			printed += len(frame) - 1
		case 3:
			return fmt.Sprintf("all output: %v, status %s", printed == size, frame[1:])
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func main() {
	fmt.Println("reads slowly:", read(false))
	fmt.Println("reads slowly, one ping:", read(true))
}
END
GOFLAGS=-mod=mod go mod tidy 2>/dev/null
GOFLAGS=-mod=mod go run . 2>/dev/null >seen
cat seen
diff seen - <<'END'
reads slowly: all output: true, status {"metadata":{},"status":"Success"}
reads slowly, one ping: all output: false, no status, reset: true
END
