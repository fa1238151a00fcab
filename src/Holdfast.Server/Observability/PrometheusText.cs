using System.Globalization;
using System.Text;
using Holdfast.Engine;
using Holdfast.Kernel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Holdfast.Server;

/// <summary>
/// GET /metrics: the counters of every space in Prometheus' text format 0.0.4. Labels are the space, and a code or status
/// out of a fixed list; never an id, so their number is bounded by the spaces.
/// </summary>
internal sealed class PrometheusText(SpaceHost host, ViewHost views, CallbackMetrics callbacks)
{
    private const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    public void Map(IEndpointRouteBuilder routes) => routes.MapGet("/metrics", GetAsync).Needs(Roles.Read);

    private Task GetAsync(HttpContext context)
    {
        context.Response.ContentType = ContentType;
        return context.Response.WriteAsync(Render(), context.RequestAborted);
    }

    private string Render()
    {
        var text = new StringBuilder(8 * 1024);
        IReadOnlyList<Space> spaces = host.Spaces;
        Family(text, "holdfast_answers_total", "counter", "Answers of the space, by code; what was decided and couldn't be written counts under unavailable as well.");
        foreach (Space space in spaces)
        {
            foreach (Code code in Enum.GetValues<Code>())
            {
                Line(text, "holdfast_answers_total", space, "code", code.Text(), space.Metrics.Answers(code));
            }
        }

        Each(text, spaces, "holdfast_batches_total", "counter", "Batches written to the journal.", s => s.Metrics.Batches);
        Each(text, spaces, "holdfast_events_total", "counter", "Events written to the journal.", s => s.Metrics.Events);
        Each(text, spaces, "holdfast_event_bytes_total", "counter", "Bytes of events written to the journal.", s => s.Metrics.Bytes);
        Each(text, spaces, "holdfast_journal_sequence", "gauge", "Sequence of the last durable batch.", s => s.Durable.Sequence);
        Each(text, spaces, "holdfast_queue_length", "gauge", "Requests waiting for the space's loop.", s => s.QueueLength);
        Each(text, spaces, "holdfast_queue_capacity", "gauge", "Most requests that may wait.", s => s.Options.QueueCapacity);
        Each(text, spaces, "holdfast_holds_live", "gauge", "Holds that reserve something.", s => s.Metrics.LiveHolds);
        Each(text, spaces, "holdfast_holds_known", "gauge", "Holds in memory, finished ones within the retention included.", s => s.Metrics.KnownHolds);
        Each(text, spaces, "holdfast_resources", "gauge", "Resources.", s => s.Metrics.Resources);
        Each(text, spaces, "holdfast_transactions_open", "gauge", "Transactions that have not ended.", s => s.Metrics.OpenTransactions);
        Each(text, spaces, "holdfast_transactions_stuck", "gauge", "Transactions that wait for an operator: alert on any.", s => s.Metrics.StuckTransactions);
        Each(text, spaces, "holdfast_checkouts_open", "gauge", "Checkouts that are not final, and payments in suspense.", s => s.Metrics.OpenCheckouts);
        Each(text, spaces, "holdfast_checkouts_stuck", "gauge", "Checkouts that wait for an operator: alert on any.", s => s.Metrics.StuckCheckouts);
        Each(text, spaces, "holdfast_payment_alerts_total", "counter", "Times that people were told to look at a payment; the log says which.", s => s.Metrics.Alerts);
        Each(text, spaces, "holdfast_views_lag_batches", "gauge", "Durable batches that the views don't show yet.", s => views.For(s)?.Progress.LagSequences ?? 0);
        Each(text, spaces, "holdfast_views_failures_total", "counter", "Attempts of the views that failed and were made again.", s => views.For(s)?.Progress.Failures ?? 0);
        Family(text, "holdfast_space_status", "gauge", "1 for the status that the space has, 0 for the others.");
        foreach (Space space in spaces)
        {
            foreach (SpaceStatus status in Enum.GetValues<SpaceStatus>())
            {
                Line(text, "holdfast_space_status", space, "status", Health.Text(status), space.Status == status ? 1 : 0);
            }
        }

        Family(text, "holdfast_callbacks_total", "counter", "Callbacks of payment providers, by what became of them.");
        foreach ((string channel, string outcome, long count) in callbacks.All)
        {
            text.Append("holdfast_callbacks_total{channel=\"").Append(channel.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)).Append("\",outcome=\"").Append(outcome).Append("\"} ")
                .Append(count.ToString(CultureInfo.InvariantCulture)).Append('\n');
        }

        Calls(text);
        Process(text);
        return text.ToString();
    }

    private void Calls(StringBuilder text)
    {
        if (host.Effects?.Dispatcher is not { } dispatcher)
        {
            return;
        }

        Family(text, "holdfast_calls_total", "counter", "Calls to participants, by what came of them.");
        foreach (CallOutcome outcome in Enum.GetValues<CallOutcome>())
        {
            text.Append("holdfast_calls_total{outcome=\"").Append(outcome.Text()).Append("\"} ")
                .Append(dispatcher.Answered(outcome).ToString(CultureInfo.InvariantCulture)).Append('\n');
        }

        Single("holdfast_calls_active", "Calls to participants underway.", dispatcher.Active);
        Single("holdfast_calls_waiting", "Calls that wait for their host's turn.", dispatcher.Waiting);
        Single("holdfast_hosts_resting", "Hosts that are left alone for a while because they don't answer.", dispatcher.BrokenHosts.Count);

        void Single(string name, string help, int value)
        {
            Family(text, name, "gauge", help);
            text.Append(name).Append(' ').Append(value.ToString(CultureInfo.InvariantCulture)).Append('\n');
        }
    }

    private static void Process(StringBuilder text)
    {
        Family(text, "process_working_set_bytes", "gauge", "Memory that the process has in use.");
        text.Append("process_working_set_bytes ").Append(Environment.WorkingSet.ToString(CultureInfo.InvariantCulture)).Append('\n');
        Family(text, "process_cpu_seconds_total", "counter", "Processor time that the process has used.");
        text.Append("process_cpu_seconds_total ").Append(Environment.CpuUsage.TotalTime.TotalSeconds.ToString("F3", CultureInfo.InvariantCulture)).Append('\n');
        Family(text, "dotnet_gc_pause_seconds_total", "counter", "Time that garbage collection has stopped the process.");
        text.Append("dotnet_gc_pause_seconds_total ").Append(GC.GetTotalPauseDuration().TotalSeconds.ToString("F3", CultureInfo.InvariantCulture)).Append('\n');
    }

    private static void Each(StringBuilder text, IReadOnlyList<Space> spaces, string name, string type, string help, Func<Space, long> value)
    {
        Family(text, name, type, help);
        foreach (Space space in spaces)
        {
            Line(text, name, space, null, null, value(space));
        }
    }

    private static void Family(StringBuilder text, string name, string type, string help) =>
        text.Append("# HELP ").Append(name).Append(' ').Append(help).Append("\n# TYPE ").Append(name).Append(' ').Append(type).Append('\n');

    private static void Line(StringBuilder text, string name, Space space, string? label, string? labelValue, long value)
    {
        // A space's name and our own words need no escaping.
        text.Append(name).Append("{space=\"").Append(space.Name).Append('"');
        if (label is not null)
        {
            text.Append(',').Append(label).Append("=\"").Append(labelValue).Append('"');
        }

        text.Append("} ").Append(value.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }
}
