#!/usr/bin/env bash
# Runs the cases of one command folder: tests/cli/run.sh REMEX FOLDER [CASE...]
#
# A case is NAME.sh, run by bash in a fresh directory with `remex` in the PATH and the helpers of lib.sh.
# Beside it: NAME.stdout (exactly what standard output holds; absent = nothing), NAME.stderr.glob (a glob that
# standard error as a whole matches; absent = nothing) and NAME.exit (absent = 0). A case that ends with 77 cannot run on
# this machine: it is skipped, and what it wrote to standard error says why. All cases of a run share one embedded server
# in a place of its own, which is stopped at the end. CASE_LIB names other helpers than lib.sh.
set -u
remex=$(realpath "$1") || exit 2
folder=$(realpath "$2") || exit 2
shift 2
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d "${TMPDIR:-/tmp}/remex-cli-XXXXXX") || exit 2
failed=0 count=0

stop_server() { # stop_server STATE_DIR
	local pid
	[ -f "$1/run/lock" ] || return 0
	read -r pid _ <"$1/run/lock" || return 0
	[[ $(readlink "/proc/$pid/exe") == "$remex"* ]] && kill "$pid" && tail --pid="$pid" -f /dev/null
	return 0
}
clean_up() {
	local lock
	for lock in "$work"/state/run/lock "$work"/*/*/*/run/lock; do
		[ -f "$lock" ] && stop_server "${lock%/run/lock}"
	done
	if grep -E 'ERROR: [A-Za-z]*Sanitizer|runtime error:' "$work"/state/run/log 2>/dev/null; then
		failed=$((failed + 1))
	fi
	chmod -R u+w "$work"
	rm -rf "$work"
}
trap 'clean_up; exit $((failed != 0))' EXIT

for variable in $(compgen -e | grep -E '^(REMEX_|XDG_|NO_COLOR$)'); do
	unset "$variable"
done
mkdir "$work/bin" "$work/state" "$work/home"
ln -s "$remex" "$work/bin/remex"
export HOME=$work/home REMEX_STATE_DIR=$work/state PATH=$work/bin:$PATH BASH_ENV=${CASE_LIB:-$here/lib.sh} LC_ALL=C.UTF-8
remex caps >/dev/null 2>"$work/start" || {
	echo "not ok: the embedded server does not start"
	cat "$work/start"
	failed=1
	exit
}

for script in "$folder"/*.sh; do
	name=$(basename "$script" .sh)
	[ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
	count=$((count + 1))
	mkdir -p "$work/$name.d/w"
	# a repository of its own: no settings file from above counts
	mkdir "$work/$name.d/w/.git"
	(cd "$work/$name.d/w" && timeout 60 bash "$script" >"$work/$name.out" 2>"$work/$name.err" </dev/null)
	status=$?
	if [ $status = 77 ]; then
		echo "skip $name: $(tail -n 1 "$work/$name.err")"
		continue
	fi
	expected=0 golden=/dev/null pattern='' actual=$(cat "$work/$name.err"; echo .)
	[ -f "$folder/$name.exit" ] && expected=$(<"$folder/$name.exit")
	[ -f "$folder/$name.stdout" ] && golden=$folder/$name.stdout
	[ -f "$folder/$name.stderr.glob" ] && pattern=$(<"$folder/$name.stderr.glob")$'\n'
	ok=yes
	[ "$status" = "$expected" ] || ok=no
	cmp -s "$golden" "$work/$name.out" || ok=no
	# shellcheck disable=SC2053 # the right side is a pattern
	[[ ${actual%.} == $pattern ]] || ok=no
	if [ $ok = yes ]; then
		echo "ok $name"
		continue
	fi
	echo "not ok $name"
	failed=$((failed + 1))
	echo "	exit $status, expected $expected"
	diff -u "$golden" "$work/$name.out" | sed 's/^/	/'
	[[ ${actual%.} == $pattern ]] || {
		echo "	stderr:"
		sed 's/^/	| /' "$work/$name.err"
	}
done
echo "$count cases, $failed failed"
