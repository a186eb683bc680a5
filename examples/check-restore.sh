#!/bin/sh
# Before a restore, and without a cluster: are its hooks right for the pods of the backup, and what will run?
#   velero backup download nightly && check-restore.sh restore.yaml nightly-data.tar.gz
# The first file is the Restore alone. Exits 3 if there are mistakes (see docs/lint.md), 2 if the archive is damaged.
set -eu
kubectl-restorehooks lint -f "$1" --backup-archive "$2" --fail-on=error
kubectl-restorehooks plan -f "$1" --backup-archive "$2"
