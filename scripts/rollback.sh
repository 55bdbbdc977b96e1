#!/bin/sh
# Puts the last good version of a workload back, by the guard: rollback.sh NAMESPACE WORKLOAD "REASON" [OPTION...]
# A Deployment of a release set stands for the whole set. Options are those of `rollguard rollback` (--only, --dry-run...).
set -eu
if [ "$#" -lt 3 ]; then
  echo "usage: $0 NAMESPACE WORKLOAD \"REASON\" [OPTION...]" >&2
  exit 2
fi
namespace=$1 workload=$2 reason=$3
shift 3
exec rollguard rollback "$namespace" "$workload" --guard-namespace "${POD_NAMESPACE:-monitoring}" --reason "$reason" "$@"
