#!/usr/bin/env bash
# Runs the cases of one folder of faults as tests/cli/run.sh does, with the helpers of this folder's lib.sh:
# tests/faults/run.sh REMEX LYING_SERVER FOLDER [CASE...]
set -u
here=$(dirname "$(realpath "$0")")
remex=$1
LYING_SERVER=$(realpath "$2") || exit 2
shift 2
export LYING_SERVER CASE_LIB=$here/lib.sh
exec "$here/../cli/run.sh" "$remex" "$@"
