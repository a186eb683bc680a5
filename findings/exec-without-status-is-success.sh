#!/bin/bash
# What: k8s.io/client-go v0.35.4, the library of kubectl exec and of Velero. Its WebSocket executor takes a connection that
#   the server closes normally, with output but without any Status, for a command that ended with exit code 0. Only a
#   connection that is cut is an error.
# Why: when a kubelet or a container runtime dies, what the client sees of it may be just such a close. A restore hook
#   whose end nobody has seen would be green. Here it is Unknown.
# Date: 2026-11-29
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END'
module finding

go 1.25.0

require (
	github.com/gorilla/websocket v1.5.4-0.20250319132907-e064f32e3674
	k8s.io/client-go v0.35.4
)
END
cat >main.go <<'END'
package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/gorilla/websocket"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

const status = "\x03" + `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NonZeroExitCode",` +
	`"details":{"causes":[{"reason":"ExitCode","message":"3"}]}}`

func exec(end func(*websocket.Conn)) (string, error) {
	upgrader := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io", "v4.channel.k8s.io"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			panic(err)
		}
		conn.WriteMessage(websocket.BinaryMessage, []byte("\x01loaded 10 of 500 rows\n"))
		end(conn)
	}))
	defer server.Close()
	executor, err := remotecommand.NewWebSocketExecutor(&rest.Config{Host: server.URL}, "GET", server.URL)
	if err != nil {
		panic(err)
	}
	var stdout bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &stdout})
	return stdout.String(), err
}

func closeNormally(conn *websocket.Conn) {
	conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	conn.ReadMessage()
	conn.Close()
}

func main() {
	for _, end := range []struct {
		name string
		do   func(*websocket.Conn)
	}{
		{"a Status with exit code 3", func(conn *websocket.Conn) {
			conn.WriteMessage(websocket.BinaryMessage, []byte(status))
			closeNormally(conn)
		}},
		{"closed, no Status", closeNormally},
		{"cut, no Status", func(conn *websocket.Conn) { conn.NetConn().Close() }},
	} {
		stdout, err := exec(end.do)
		fmt.Printf("%s: stdout %q, failed: %v\n", end.name, stdout, err != nil)
	}
}
END
GOFLAGS=-mod=mod go mod tidy 2>/dev/null
GOFLAGS=-mod=mod go run . 2>/dev/null >seen
cat seen
diff seen - <<'END'
a Status with exit code 3: stdout "loaded 10 of 500 rows\n", failed: true
closed, no Status: stdout "loaded 10 of 500 rows\n", failed: false
cut, no Status: stdout "loaded 10 of 500 rows\n", failed: true
END
