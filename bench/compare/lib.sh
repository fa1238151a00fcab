# shellcheck shell=bash
# What every side uses: talking, processes that are certainly stopped, samples, the machine.

say() { printf '%s\n' "$*" >&2; }
die() { say "compare: $*"; exit 2; }

# --- processes ---------------------------------------------------------------------------------------
# Each process is the leader of a session of its own, so its children are found and stopped with it, by
# its id. `tool` waits in the background because bash answers a signal at once only while in `wait`.

declare -A running=()
started=0

# start LOG COMMAND...: runs in the background; its id is then in $started.
start() {
    local log=$1
    shift
    setsid "$@" >"$log" 2>&1 </dev/null &
    started=$!
    running[$started]=$1
    # On a busy machine it may not lead its session yet; whoever asked about it now would find it dead.
    until alive "$started" || ! kill -0 "$started" 2>/dev/null; do sleep 0.01; done
}

alive() { kill -0 -- "-$1" 2>/dev/null; }

# stop ID [SIGNAL]: asks the process and its children to end, waits 20 s, then ends them.
stop() {
    local id=$1 tick
    alive "$id" && kill "-${2:-TERM}" -- "-$id" 2>/dev/null
    for ((tick = 0; tick < 200; tick++)); do
        alive "$id" || break
        sleep 0.1
    done
    kill -KILL -- "-$id" 2>/dev/null
    kill -KILL "$id" 2>/dev/null
    wait "$id" 2>/dev/null
    unset "running[$id]"
    return 0
}

# tool LOG SECONDS COMMAND...: runs to its end or to the time limit; the status is the command's.
tool() {
    local log=$1 limit=$2 id status=0
    shift 2
    start "$log" timeout --kill-after=5 "$limit" "$@"
    id=$started
    wait "$id" || status=$?
    unset "running[$id]"
    return "$status"
}

cleanup() {
    trap '' INT TERM
    local id
    if declare -F postgres_stop >/dev/null; then postgres_stop; fi
    for id in "${!running[@]}"; do stop "$id"; done
    if [[ -n ${work:-} && -d $work ]]; then
        if ((keep)); then say "kept: $work"; else rm -rf -- "$work"; fi
    fi
}

# Below Linux' ephemeral range, so that no client's own port takes it between the look and the use.
free_port() {
    local candidate
    for ((;;)); do
        candidate=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null; then
            port=$candidate
            return
        fi
    done
}

# until_true SECONDS ID COMMAND...: tries again each 0.1 s; gives up early when process ID has ended.
until_true() {
    local end=$((SECONDS + $1)) id=$2
    shift 2
    while ((SECONDS < end)); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        if ! alive "$id"; then return 1; fi
        sleep 0.1
    done
    return 1
}

# --- samples -----------------------------------------------------------------------------------------

# sample KEY VALUE: one measure of this round.
sample() {
    printf '%s\t%s\t%s\n' "$1" "$round" "$2" >>"$work/samples.tsv"
    say "  round $round  $1  $2"
}

# failed KEY WHY [LOG]: tells it, keeps it for the report, and lets the other sides go on.
failed() {
    say "  round $round  $1  FAILED: $2"
    if [[ -n ${3:-} && -s ${3:-} ]]; then tail -n 5 -- "$3" | sed 's/^/      | /' >&2; fi
    printf '%s\t%s\t%s\n' "$1" "$round" "$2" >>"$work/failures.tsv"
}

# --- packages ----------------------------------------------------------------------------------------

# need TOOL PACKAGE: notes the package when the tool is not there.
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }

install_missing() {
    ((${#missing[@]} == 0)) && return
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        die "needed and not installed: ${missing[*]}. On Debian: apt-get install ${missing[*]}"
    fi
    say "installing ${missing[*]}"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } \
        >"$work/apt.log" 2>&1 || { tail -n 5 "$work/apt.log" >&2; die "apt-get could not install ${missing[*]}"; }
}

# --- the machine -------------------------------------------------------------------------------------

# Microseconds for one 4 KiB write that is on disk when it returns (O_DSYNC into a file laid out before,
# as a journal does): dd prints the seconds for all.
fsync_latency() {
    local file=$work/fsync.probe
    [[ -e $file ]] || dd if=/dev/zero of="$file" bs=4k count=1000 conv=fsync 2>/dev/null
    LC_ALL=C dd if=/dev/zero of="$file" bs=4k count=1000 oflag=dsync conv=notrunc 2>&1 |
        awk '/copied/ { for (i = 2; i <= NF; i++) if ($i == "s,") printf "%.0f\n", $(i - 1) * 1e6 / 1000 }'
}

# Share of the processors' time that others took while we only waited, in percent: the noise from outside.
others_busy() {
    local first second
    read -ra first < <(grep '^cpu ' /proc/stat)
    sleep 1
    read -ra second < <(grep '^cpu ' /proc/stat)
    local total=0 idle=$((second[4] - first[4] + second[5] - first[5])) field
    for field in 1 2 3 4 5 6 7 8; do total=$((total + second[field] - first[field])); done
    echo $((total ? 100 * (total - idle) / total : 0))
}

machine() {
    echo "- processor: $(lscpu | awk -F': *' '/^Model name/ { print $2; exit }'), $(nproc) cores"
    echo "- memory: $(awk '/^MemTotal/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo)"
    echo "- kernel: $(uname -sr)"
    echo "- disk: $(df --output=fstype "$work" | tail -n 1), $(df --output=source "$work" | tail -n 1)"
}
