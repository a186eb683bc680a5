#!/bin/bash
# Restores a backup and runs its hooks: restore.sh BACKUP RESTORE HOOKS
# It may be started again after any end: Velero restores once, and a hook that succeeded is not run again.
# It exits with the exit code of `apply` (docs/results.md has all of them), or with 1 if Velero has not restored everything.
set -euo pipefail
if [ $# -ne 3 ]; then
  echo "usage: ${0##*/} BACKUP RESTORE HOOKS" >&2
  exit 2
fi
backup=$1 restore=$2 hooks=$3
# As velero and the plugin do.
namespace=${VELERO_NAMESPACE:-velero}

found=$(kubectl get restores.velero.io "$restore" -n "$namespace" --ignore-not-found -o name)
[ -n "$found" ] || velero restore create "$restore" --from-backup "$backup"

code=0
kubectl restorehooks apply "$restore" --hooks "$hooks" --wait-for-restore=30m --fail-on=any || code=$?

case $code in
  0)
    phase=$(kubectl get restores.velero.io "$restore" -n "$namespace" -o jsonpath='{.status.phase}')
    if [ "$phase" != Completed ]; then
      echo "every hook has succeeded, but Velero says $phase. See: velero restore describe $restore"
      exit 1
    fi
    echo "$restore is restored, and every hook has succeeded: traffic can be let in"
    ;;
  3) echo "$restore is restored, but a hook has not succeeded. Put right what it says, then: kubectl restorehooks retry $restore" ;;
  5)
    echo "a right is missing. Nothing was run. The hint above is the command for an administrator. If it is the runner's right:"
    echo "kubectl restorehooks check $restore prints the setup command, with the namespaces that the runner is limited to"
    ;;
  6 | 7 | 130) echo "nobody waits any more, but the run may still be going. Start this again to follow it" ;;
  8)
    echo "no pod was restored that has a hook. Did its namespace still exist? Velero restores nothing over what exists."
    echo "Then delete the namespace, and restore under another name. Else: is $hooks for this backup?"
    ;;
  9) echo "somebody else runs the hooks, or has run them. See: kubectl restorehooks status $restore" ;;
  *) echo "the hooks of $restore have not all been run (exit code $code). The lines above say why" ;;
esac
exit "$code"
