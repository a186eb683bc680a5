#!/bin/sh
# Lint the hooks of all manifests in a folder, and write a report for code scanning: lint-in-ci.sh FOLDER [REPORT]
# Exits with 3 if there are findings (docs/lint.md). On GitHub they are also shown beside the changed lines.
set -eu
folder=${1:-manifests}
report=${2:-restorehooks.sarif}
kubectl-restorehooks lint -f "$folder" --fail-on=error -o sarif >"$report" || [ $? -eq 3 ]
if [ -n "${GITHUB_ACTIONS:-}" ]; then
  exec kubectl-restorehooks lint -f "$folder" -o github
fi
exec kubectl-restorehooks lint -f "$folder"
