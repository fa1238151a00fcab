# shellcheck shell=bash
# From the samples to the tables. A measure's value is the median of its rounds; a ratio is the median of
# one measure over the median of the other, and the range beside it is that of the ratios round by round.

# title | key | durability
measures='PostgreSQL, hot row, 32 clients|postgres.hot|fsync each commit
PostgreSQL, hot row in one statement, 32 clients|postgres.one|fsync each commit
Redis Lua, always, 64 connections, pipeline 1|redis.always.p1|fsync each event-loop turn
Redis Lua, always, 64 connections, pipeline 32|redis.always.p32|fsync each event-loop turn
Redis Lua, everysec, 64 connections, pipeline 1|redis.everysec.p1|fsync each second, loses up to that
Redis Lua, everysec, 64 connections, pipeline 32|redis.everysec.p32|fsync each second, loses up to that
Holdfast, RESP, 64 connections, pipeline 1|resp.p1|fsync each batch
Holdfast, RESP, 64 connections, pipeline 32|resp.p32|fsync each batch
Holdfast, HTTP, GET /health/live, 64 connections|http.health.64|none
Holdfast, HTTP, hold, 64 connections|http.hold.64|fsync each batch
Holdfast, HTTP, sold out, 64 connections|http.soldout.64|nothing to write
Holdfast, HTTP, GET /health/live, 256 connections|http.health.256|none
Holdfast, HTTP, hold, 256 connections|http.hold.256|fsync each batch
Holdfast, HTTP, sold out, 256 connections|http.soldout.256|nothing to write
Holdfast, in process, SQLite, 64 callers|process.sqlite.64|fsync each batch
Holdfast, in process, SQLite, 1,024 callers|process.sqlite.1024|fsync each batch
Holdfast, in process, SQLite, 10,000 callers|process.sqlite.10000|fsync each batch
Holdfast, in process, SQLite, sold out, 1,024 callers|process.sqlite.1024.refusals|nothing to write
Holdfast, in process, PostgreSQL, 64 callers|process.postgres.64|fsync each batch
Holdfast, in process, PostgreSQL, 1,024 callers|process.postgres.1024|fsync each batch
Holdfast, in process, PostgreSQL, 10,000 callers|process.postgres.10000|fsync each batch
Holdfast, in process, PostgreSQL, sold out, 1,024 callers|process.postgres.1024.refusals|nothing to write
Transactions of two built-in holds, in process, 1,024 callers|transactions.holds|fsync each batch
Transactions of two HTTP participants that do nothing, 256 callers|transactions.http|fsync each batch
Their calls|transactions.http.calls|
As many bare HTTP calls, 256 callers|transactions.http.bare|none
Transactions with barrier and a statement in each of two branches, PostgreSQL, 64 callers|transactions.sql|fsync each commit and batch
The same statements alone, 64 callers|transactions.sql.bare|fsync each commit
Callbacks of Standard Webhooks over HTTP, 64 callers|payments.standard-webhooks|fsync each batch
As many of its signatures verified alone|payments.standard-webhooks.alone|none
Callbacks of Stripe|payments.stripe|fsync each batch
As many of its signatures verified alone|payments.stripe.alone|none
Callbacks of WeChat Pay|payments.wechatpay|fsync each batch
As many of its signatures verified and decrypted alone|payments.wechatpay.alone|none
Callbacks of Alipay|payments.alipay|fsync each batch
As many of its signatures verified alone|payments.alipay.alone|none
Checkouts from hold to paid through the simulated provider, 64 callers|payments.checkouts|fsync each batch'

# title | key | over key | must reach | goal (empty: shown only)
ratios='In process, SQLite, 1,024 callers / PostgreSQL hot row|process.sqlite.1024|postgres.hot|1000|1500
In process, PostgreSQL, 1,024 callers / PostgreSQL hot row|process.postgres.1024|postgres.hot|800|
RESP / Redis always, pipeline 32|resp.p32|redis.always.p32|8|10
RESP / Redis always, pipeline 1|resp.p1|redis.always.p1|1.1|1.6
HTTP hold / bare GET, 64 connections|http.hold.64|http.health.64|0.6|0.75
HTTP hold / bare GET, 256 connections|http.hold.256|http.health.256|0.6|0.75
Sold out / holds, in process, SQLite|process.sqlite.1024.refusals|process.sqlite.1024|1.5|
RESP / Redis everysec, pipeline 32|resp.p32|redis.everysec.p32||
RESP / Redis everysec, pipeline 1|resp.p1|redis.everysec.p1||
In process, SQLite, 1,024 callers / PostgreSQL in one statement|process.sqlite.1024|postgres.one||
Sold out / holds, in process, PostgreSQL|process.postgres.1024.refusals|process.postgres.1024||
Sold out / holds, HTTP, 64 connections|http.soldout.64|http.hold.64||
Sold out / holds, HTTP, 256 connections|http.soldout.256|http.hold.256||
Calls of transactions / bare HTTP calls|transactions.http.calls|transactions.http.bare||
Transactions with barrier / the same statements alone|transactions.sql|transactions.sql.bare|0.43|
Callbacks of Standard Webhooks / its signatures alone|payments.standard-webhooks|payments.standard-webhooks.alone||
Callbacks of Stripe / its signatures alone|payments.stripe|payments.stripe.alone||
Callbacks of WeChat Pay / its signatures alone|payments.wechatpay|payments.wechatpay.alone||
Callbacks of Alipay / its signatures alone|payments.alipay|payments.alipay.alone||'

# Shared by the awk programs below: the samples, their median and extremes.
# shellcheck disable=SC2016  # awk, not bash
statistics='
function load(file,    fields) {
    while ((getline row < file) > 0) {
        split(row, fields, "\t")
        value[fields[1], fields[2]] = fields[3]
        every[fields[1]] = every[fields[1]] " " fields[3]
        many[fields[1]]++
        if (fields[2] + 0 > rounds) rounds = fields[2] + 0
    }
}
function collect(key, over,    r) {      # the values of key, or of key / over, sorted into list
    size = 0
    for (r = 1; r <= rounds; r++) {
        if (!((key, r) in value)) continue
        if (over != "" && (!((over, r) in value) || value[over, r] == 0)) continue
        insert(over == "" ? value[key, r] + 0 : value[key, r] / value[over, r])
    }
}
function collect_every(key,    n, i, all) {      # also when a round measured it several times
    size = 0
    n = split(every[key], all, " ")
    for (i = 1; i <= n; i++) insert(all[i] + 0)
}
function insert(x,    i) {
    for (i = ++size; i > 1 && list[i - 1] > x; i--) list[i] = list[i - 1]
    list[i] = x
}
function median() { return size % 2 ? list[(size + 1) / 2] : (list[size / 2] + list[size / 2 + 1]) / 2 }
function grouped(x,    text, out) {
    text = sprintf("%.0f", x)
    for (out = ""; length(text) > 3; text = substr(text, 1, length(text) - 3)) out = "," substr(text, length(text) - 2) out
    return text out
}
function short(x) { return x >= 100 ? grouped(x) : sprintf(x >= 10 ? "%.1f" : "%.2f", x) }'

# Tab-separated lines to a markdown table with straight columns: the first is text, numbers to the right.
as_table() {
    awk -F'\t' '
        { for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } columns = NF }
        END {
            for (n = 1; n <= NR; n++) {
                for (i = 1; i <= columns; i++) printf(i > 1 && cell[n, i] ~ /^[-0-9.,% ]*( to [0-9.,]+)?$/ ? "| %" width[i] "s " : "| %-" width[i] "s ", cell[n, i])
                print "|"
                if (n > 1) continue
                for (i = 1; i <= columns; i++) { rule = ""; while (length(rule) < width[i]) rule = rule "-"; printf "| %s ", rule }
                print "|"
            }
        }'
}

measure_table() {
    {
        printf 'side\tper second\tlowest to highest\tp99 ms\tdurability\n'
        awk -F'|' -v file="$work/samples.tsv" "$statistics"'
            BEGIN { load(file) }
            many[$2] {
                collect($2, "")
                line = $1 "\t" grouped(median()) "\t" grouped(list[1]) " to " grouped(list[size])
                collect($2 ".p99ms", "")
                print line "\t" (size ? sprintf("%.2f", median()) : "") "\t" $3
            }' <<<"$measures"
    } | as_table
}

ratio_table() {
    {
        printf 'ratio\treached\tround by round\tmust reach\tgoal\tverdict\n'
        awk -F'|' -v file="$work/samples.tsv" -v sides=" ${sides[*]} " "$statistics"'
            function chosen(key) { return index(sides, " " substr(key, 1, index(key, ".") - 1) " ") }
            BEGIN { load(file) }
            !chosen($2) || !chosen($3) { next }
            !many[$2] || !many[$3] { if ($4 != "") print $1 "\t\t\t" $4 "\t" $5 "\tnot measured"; next }
            {
                collect($2, ""); top = median()
                collect($3, ""); ratio = top / median()
                collect($2, $3)
                if ($4 == "") verdict = ""
                else if ($5 != "" && ratio >= $5) verdict = "PASS, goal reached"
                else verdict = ratio >= $4 ? "PASS" : "short"
                print $1 "\t" short(ratio) "\t" (size ? short(list[1]) " to " short(list[size]) : "") "\t" $4 "\t" $5 "\t" verdict
            }' <<<"$ratios"
        awk -v file="$work/samples.tsv" "$statistics"'
            BEGIN {
                load(file)
                for (c = 64; c <= 256; c *= 4) {
                    collect("http.soldout." c ".bytes", "")
                    if (size) print "Bytes written to disk while sold out, HTTP, " c " connections\t" grouped(median()) "\t" \
                        grouped(list[1]) " to " grouped(list[size]) "\t0\t\t" (list[size] == 0 ? "PASS" : "short")
                }
            }'
    } | as_table
}

report() {
    local noise
    echo "# Side by side"
    echo
    echo "One run of \`bench/compare/run\` on $(date -u +%Y-%m-%d): each side in turn, $repeat rounds, the median taken; ${mode}."
    echo "Clients and servers share the machine. \"round by round\" and \"lowest to highest\" show the noise."
    echo
    machine
    noise=$(awk -v file="$work/samples.tsv" "$statistics"'
        BEGIN {
            load(file)
            collect_every("machine.fsync"); printf "- one durable 4 KiB write: %.0f us (%.0f to %.0f)\n", median(), list[1], list[size]
            collect_every("machine.others"); printf "- processors busy with other work between the sides: %.0f %% (%.0f to %.0f)\n", median(), list[1], list[size]
            if (list[size] >= 20) print "- **not for publishing**: other work ran on the machine during this run"
        }')
    echo "$noise"
    echo "- versions: $(versions)"
    echo
    measure_table
    echo
    ratio_table >"$work/ratios.md"
    if (($(wc -l <"$work/ratios.md") > 2)); then cat "$work/ratios.md"; fi
    if [[ -s $work/failures.tsv ]]; then
        echo
        echo "Not measured, or wrong:"
        echo
        awk -F'\t' '{ print "- round " $2 ", " $1 ": " $3 }' "$work/failures.tsv"
    fi
}

versions() {
    local list=()
    if [[ -n $postgres_bin ]]; then list+=("$("$postgres_bin/postgres" --version | sed 's/ (PostgreSQL)//; s/postgres/PostgreSQL/; s/ (.*//')"); fi
    if command -v redis-server >/dev/null; then list+=("$(redis-server --version | awk '{ sub("v=", "", $3); print "Redis " $3 }')"); fi
    list+=("Holdfast $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)")
    local joined
    printf -v joined '%s, ' "${list[@]}"
    echo "${joined%, }"
}
