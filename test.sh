#!/usr/bin/env bash
# Installs what the tests need, builds everything in Release, runs every test project, and sums up.
set -euo pipefail

root=$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd)
results=$root/artifacts/test-results
project_seconds_max=900
cd "$root"

usage() {
    cat <<'END'
./test              everything: install what is missing, build, run all test projects
./test NAME ...     only the test projects whose name contains one of these, for example: ./test Kernel Cli

Needs the .NET SDK 10. From Debian's packages it installs postgresql, postgresql-contrib, redis-server,
redis-tools and wrk when they are missing (as root; otherwise it says what to type). What each project
printed is kept in artifacts/test-results.
END
}

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

case ${1:-} in -h | --help) usage; exit 0 ;; esac
for argument in "$@"; do
    case $argument in -*) usage >&2; exit 2 ;; esac
done

# --- what was started is stopped -----------------------------------------------------------------------------------

child=
policy=
cleanup() {
    if [[ -n $child ]]; then
        # The project leads its own session, so its servers and browsers go with it.
        kill -TERM -- "-$child" 2>/dev/null || true
        for _ in {1..50}; do
            kill -0 -- "-$child" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL -- "-$child" 2>/dev/null || true
        child=
    fi
    if [[ -n $policy ]]; then rm -f "$policy"; policy=; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Compilers and build nodes would otherwise stay behind, waiting for the next build.
export MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
quiet=(-nologo -v quiet -p:UseSharedCompilation=false)

# run SECONDS LOG COMMAND...: in a session of its own, with progress; its exit status.
run() {
    local limit=$1 log=$2 began=$SECONDS shown=$SECONDS status=0 id
    shift 2
    setsid --wait "$@" >"$log" 2>&1 &
    id=$!
    # setsid forks only when it leads a group already, so the session may be its child's.
    child=$id
    while kill -0 "$id" 2>/dev/null; do
        sleep 0.2
        if [[ -t 1 ]]; then
            printf '\r  %s ... %d s ' "$what" "$((SECONDS - began))"
        elif ((SECONDS - shown >= 30)); then
            shown=$SECONDS
            say "  $what ... $((SECONDS - began)) s"
        fi
        if ((SECONDS - began > limit)); then
            say "  $what: stopped after $limit s" | tee -a "$log"
            cleanup
            break
        fi
    done
    wait "$id" || status=$?
    # What outlived its parent is still in the session.
    child=$id
    kill -0 -- "-$id" 2>/dev/null && cleanup
    child=
    if [[ -t 1 ]]; then printf '\r\033[K'; fi
    took=$((SECONDS - began))
    return "$status"
}

# --- what is needed ------------------------------------------------------------------------------------------------

began_all=$SECONDS
command -v dotnet >/dev/null || fail "The .NET SDK 10 is missing. Install it: https://dotnet.microsoft.com/download/dotnet/10.0"
dotnet --version >/dev/null 2>&1 || fail "The .NET SDK 10 is missing (see global.json); installed: $(dotnet --list-sdks | tr '\n' ' ')"

missing=()
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
compgen -G '/usr/lib/postgresql/*/bin/pgbench' >/dev/null || missing+=(postgresql-contrib)
command -v redis-server >/dev/null || missing+=(redis-server)
command -v redis-cli >/dev/null && command -v redis-benchmark >/dev/null || missing+=(redis-tools)
command -v wrk >/dev/null || missing+=(wrk)

mkdir -p "$results"
if ((${#missing[@]} > 0)); then
    if ! command -v apt-get >/dev/null; then
        fail "The tests need ${missing[*]} (Debian's names), and this system has no apt-get. Install them and come back."
    fi
    if ((EUID != 0)); then
        fail "The tests need ${missing[*]}. Type:  sudo apt-get install -y --no-install-recommends ${missing[*]}"
    fi
    # Installed for its programs: the tests start servers of their own, so the package's need not run.
    if [[ ! -e /usr/sbin/policy-rc.d ]]; then
        policy=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    export DEBIAN_FRONTEND=noninteractive
    what="installing ${missing[*]}"
    run 600 "$results/install.log" bash -c 'apt-get update && apt-get install -y --no-install-recommends "$@"' install "${missing[@]}" ||
        { tail -n 20 "$results/install.log" >&2; fail "installing ${missing[*]} failed"; }
    if [[ -n $policy ]]; then rm -f "$policy"; policy=; fi
    say "installed ${missing[*]} in $took s"
fi

# --- build ---------------------------------------------------------------------------------------------------------

what="restoring and building"
if ! run 900 "$results/build.log" dotnet build Holdfast.slnx -c Release -warnaserror "${quiet[@]}"; then
    { grep -E ': error|error :' "$results/build.log" || tail -n 40 "$results/build.log"; } | sort -u >&2
    fail "the build failed (all of it: artifacts/test-results/build.log)"
fi
say "built in $took s, no warnings"

# --- test ----------------------------------------------------------------------------------------------------------

projects=()
for project in tests/*/*.csproj test/*/*.csproj; do
    [[ -e $project ]] || continue
    name=$(basename "$project" .csproj)
    [[ $name == *.Tests ]] || continue
    if (($# == 0)); then
        projects+=("$project")
        continue
    fi
    for part in "$@"; do
        if [[ $name == *"$part"* ]]; then projects+=("$project"); break; fi
    done
done

counter() { grep -o "<Counters [^>]*" "$1" | head -n 1 | grep -o " $2=\"[0-9]*\"" | tr -dc 0-9; }

passed=0 failed=0 skipped=0 broken=0
for project in "${projects[@]}"; do
    name=$(basename "$project" .csproj)
    trx=$results/$name.trx
    log=$results/$name.log
    rm -f "$trx"
    what=$name
    status=0
    # One project after the other: they measure times and start servers, and shall not starve each other.
    run "$project_seconds_max" "$log" dotnet test "$project" -c Release --no-build --nologo \
        --logger "trx;LogFileName=$name.trx" --logger "console;verbosity=normal" --results-directory "$results" || status=$?
    if [[ ! -s $trx ]]; then
        broken=$((broken + 1))
        say "$(printf '%-32s BROKEN: no results (exit status %d) in %d s' "$name" "$status" "$took")"
        tail -n 20 "$log"
        continue
    fi
    p=$(counter "$trx" passed) f=$(counter "$trx" failed) t=$(counter "$trx" total)
    s=$((t - p - f))
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    say "$(printf '%-32s %5d passed, %d failed, %d skipped in %d s' "$name" "$p" "$f" "$s" "$took")"
    if ((f > 0)); then
        grep -E -A 12 '^\s+Failed ' "$log" | head -n 200 || true
    elif ((status != 0)); then
        broken=$((broken + 1))
        say "  BROKEN: exit status $status although no test failed"
        tail -n 20 "$log"
    elif ((t == 0)); then
        broken=$((broken + 1))
        say "  BROKEN: no test ran"
    fi
done

# --- sum -----------------------------------------------------------------------------------------------------------

say "in $((SECONDS - began_all)) s; logs in artifacts/test-results"
if ((passed + failed == 0)); then say "no test ran"; fi
if ((broken > 0)); then say "$broken test project(s) broken"; fi
if ((skipped > 0)); then say "$skipped skipped"; fi
say "$passed passed, $((failed + broken)) failed"
((failed == 0 && broken == 0 && passed > 0))
