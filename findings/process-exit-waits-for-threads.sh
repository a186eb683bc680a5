#!/bin/bash
# What: node 24.21.0: process.exit() waits until the threads of its pool have ended what they do: the read of a pipe, or
#       getaddrinfo where no name server answers (10 s). process.execve() doesn't wait.
# Why:  the plugin must answer TAB within 250 ms also where the API server's name can't be resolved, so its completion
#       ends by becoming another program (plugin/completion/main.ts).
# Date: 2026-11-29
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent node@24.21.0
mkfifo pipe

# ended HOW: whether Node has ended after 2 s, though a thread still waits for somebody to write to the pipe
ended() {
  timeout 2 node_modules/.bin/node -e "
    process.removeAllListeners('warning');
    require('fs').readFile('pipe', () => {});
    setTimeout(() => { $1 }, 100);" && echo yes || echo no
}
exit=$(ended 'process.exit(0)')
execve=$(ended "process.execve('/bin/sh', ['sh', '-c', ':'], {})")
echo "ended by process.exit: $exit, by process.execve: $execve"
[ "$exit $execve" = 'no yes' ]
