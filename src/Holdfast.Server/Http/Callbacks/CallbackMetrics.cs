using System.Collections.Concurrent;

namespace Holdfast.Server;

/// <summary>Counters of the intake. Labels are configured channels and a fixed list of words, so their number is bounded.</summary>
internal sealed class CallbackMetrics
{
    private readonly ConcurrentDictionary<(string Channel, string Outcome), long> _counts = new();

    public void Count(string channel, string outcome) => _counts.AddOrUpdate((channel, outcome), 1, static (_, count) => count + 1);

    public IEnumerable<(string Channel, string Outcome, long Count)> All =>
        _counts.OrderBy(c => c.Key).Select(c => (c.Key.Channel, c.Key.Outcome, c.Value));
}
