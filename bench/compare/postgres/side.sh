# shellcheck shell=bash
# Side 1: an order and a conditional update of one hot row, in one transaction, 32 clients.
# The server runs only while it is measured. Its settings are PostgreSQL's own (fsync and
# synchronous_commit on) but for memory and room for the log, so that no checkpoint falls into a run.

postgres_port=
postgres_bin=

postgres_tools() {
    postgres_bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
    [[ -x $postgres_bin/initdb && -x $postgres_bin/pgbench ]] || missing+=(postgresql postgresql-contrib)
}

# PostgreSQL refuses to run as root.
as_postgres() { if ((EUID == 0)); then runuser -u postgres -- "$@"; else "$@"; fi; }

# Also used by the in-process side, whose journal may be in PostgreSQL.
postgres_prepare() {
    postgres_bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
    local data=$work/postgres
    [[ -d $data ]] && return
    mkdir "$data"
    if ((EUID == 0)); then chown postgres "$data"; fi
    as_postgres "$postgres_bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --no-locale >"$work/initdb.log" 2>&1 ||
        { tail -n 5 "$work/initdb.log" >&2; return 1; }
}

postgres_start() {
    free_port
    postgres_port=$port
    as_postgres "$postgres_bin/pg_ctl" -D "$work/postgres" -l "$work/postgres/server.log" -w -t 60 \
        -o "-c listen_addresses=127.0.0.1 -c port=$postgres_port -c unix_socket_directories='' \
            -c shared_buffers=512MB -c max_wal_size=8GB -c max_connections=200" start >"$work/pg_ctl.log" 2>&1
}

postgres_stop() {
    if [[ -s ${work:-}/postgres/postmaster.pid ]]; then
        as_postgres "$postgres_bin/pg_ctl" -D "$work/postgres" -m fast -w -t 30 stop >/dev/null 2>&1 ||
            as_postgres "$postgres_bin/pg_ctl" -D "$work/postgres" -m immediate stop >/dev/null 2>&1
    fi
    return 0
}

sql() { "$postgres_bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$postgres_port" -U postgres "$@"; }

postgres_script() {
    local key=$1 script=$2 log=$work/pgbench.log rate sold orders
    sql -d postgres -f "$here/postgres/schema.sql" >/dev/null 2>&1 || { failed "$key" "schema"; return; }
    if ! tool "$log" $((seconds + 60)) "$postgres_bin/pgbench" -h 127.0.0.1 -p "$postgres_port" -U postgres \
        -n -c 32 -j 2 -M prepared -T "$seconds" -f "$here/postgres/$script" postgres; then
        failed "$key" pgbench "$log"
        return
    fi
    rate=$(awk '/^tps = / { print $3; exit }' "$log")
    orders=$(sql -d postgres -c 'SELECT count(*) FROM orders')
    sold=$(sql -d postgres -c 'SELECT 100000000 - available FROM stock')
    if [[ -z $rate || $orders != "$sold" ]]; then
        failed "$key" "orders $orders, sold $sold" "$log"
        return
    fi
    sample "$key" "$rate"
}

postgres_round() {
    postgres_start || { failed postgres.hot "server did not start" "$work/pg_ctl.log"; return; }
    postgres_script postgres.hot hot-row.sql
    postgres_script postgres.one one-statement.sql
    postgres_stop
}
