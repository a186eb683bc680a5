#!/bin/sh
# Before a restore, without a cluster: check its hooks against the pods of the backup, and show what will run.
#   velero backup download nightly && check-restore.sh restore.yaml nightly-data.tar.gz
# The first file contains only the Restore. Exits with 3 if lint finds errors (docs/lint.md), 2 if the archive is damaged.
set -eu
kubectl-restorehooks lint -f "$1" --backup-archive "$2" --fail-on=error
kubectl-restorehooks plan -f "$1" --backup-archive "$2"
