using System.Globalization;
using System.Text;
using Dapper;
using Holdfast.Engine.Projection;
using Holdfast.Journal;
using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Projection;

/// <summary>Drives a store without a projector, and reads its tables whole.</summary>
internal static class ViewTable
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Projects to the journal's end in chunks of so many frames.</summary>
    public static async Task ProjectAsync(IViewStore store, IJournal journal, Func<int> framesAtOnce)
    {
        ViewPosition? position = await store.OpenAsync(Token);
        if (position is null)
        {
            await store.BeginAsync(null, position = ViewPosition.Start, Token);
        }

        using var chunk = new ViewChunk();
        chunk.Begin(position.Sequence);
        int left = framesAtOnce();
        long added = position.Sequence;
        byte[] hash = [];
        await foreach (ReadOnlyMemory<byte> bytes in journal.ReadAsync(position.Sequence + 1, Token))
        {
            FrameView frame = Frame.Read(bytes);
            chunk.Add(frame);
            added = frame.Sequence;
            hash = frame.Hash.ToArray();
            if (--left <= 0)
            {
                await FlushAsync();
                chunk.Begin(added);
                left = framesAtOnce();
            }
        }

        if (chunk.From != added)
        {
            await FlushAsync();
        }

        async Task FlushAsync()
        {
            chunk.FindNeeded();
            await store.ApplyAsync(chunk, new ViewPosition(added, hash), Token);
        }
    }

    /// <summary>Every row of every table as text, in the order of its keys.</summary>
    public static Task<string> DumpAsync(IViewStore store, string space) => store.ReadAsync(
        (connection, transaction) =>
        {
            string where = store.HasSpaceColumn ? " WHERE space = @space" : "";
            var text = new StringBuilder();
            foreach ((string columns, string table, string order) in new[]
            {
                ("sequence", "position", "1"),
                ("number, id, available, held, consumed, supplied, version, limit_per_owner, opens_at, closes_at, owner, overdraft, hold_ms, disabled, safety_stock", "resources", "1"),
                ("number, id, owner, state, created_at, expires_at, finished_at, sequence", "holds", "1"),
                ("hold, line, resource, quantity, held, consumed, returned", "lines", "1, 2"),
                ("hold, resource", "live", "1, 2"),
                ("resource, sequence, ordinal, time, kind, hold, available, held, consumed, reason, reference", "movements", "1, 2, 3"),
            })
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"-- {table}");
                foreach (IDictionary<string, object?> row in connection.Query($"SELECT {columns} FROM holdfast_view_{table}{where} ORDER BY {order}", new { space }, transaction).Cast<IDictionary<string, object?>>())
                {
                    text.AppendJoin('|', row.Values.Select(v => Convert.ToString(v, CultureInfo.InvariantCulture))).AppendLine();
                }
            }

            return text.ToString();
        },
        Token);

    /// <summary>Holds the views against the machine: every resource, every known hold, and the sums of the movements.</summary>
    public static async Task ShouldTellOfAsync(IViewStore store, string space, SpaceMachine machine)
    {
        var queries = new ViewQueries(space, store.HasSpaceColumn);
        (List<ResourceView> resources, List<ListedHold> holds, List<Movement> movements) = await store.ReadAsync(
            (connection, transaction) =>
            {
                var allResources = new List<ResourceView>();
                for (string? after = ""; after is not null;)
                {
                    ViewPage<ResourceView> page = queries.Resources(connection, transaction, null, after.Length == 0 ? null : after, 2);
                    allResources.AddRange(page.Items);
                    after = page.Next;
                }

                var allHolds = new List<ListedHold>();
                for (long? after = 0; after is not null;)
                {
                    ViewPage<ListedHold> page = queries.Holds(connection, transaction, new HoldQuery(), after, 50);
                    allHolds.AddRange(page.Items);
                    after = page.Next is null ? null : long.Parse(page.Next, CultureInfo.InvariantCulture);
                }

                HashSet<(string Hold, string Resource)> live = [.. allHolds.SelectMany(h => h.Hold.Lines.Where(l => l.Held > 0).Select(l => (h.Hold.Id, l.Resource)))];
                foreach (ResourceView resource in allResources)
                {
                    queries.AtRisk(connection, transaction, resource.Id, long.MaxValue).Holds.Select(h => (h.Hold.Id, resource.Id))
                        .ShouldBe(live.Where(l => l.Resource == resource.Id), ignoreOrder: true);
                }

                List<Movement> all = [.. allResources.SelectMany(r => queries.Movements(connection, transaction, r.Id, 0, -1, int.MaxValue - 1).Items)];
                return (allResources, allHolds, all);
            },
            Token);

        resources.OrderBy(r => r.Id, StringComparer.Ordinal).ShouldBe(machine.ListResources().OrderBy(r => r.Id, StringComparer.Ordinal));

        // An id that was used again has several rows; the newest is the one that the machine may know.
        Dictionary<string, ListedHold> newest = [];
        foreach (ListedHold hold in holds)
        {
            newest[hold.Hold.Id] = hold;
        }

        List<ResourceView> byNumber = [.. machine.ListResources()];
        foreach (KnownHold known in machine.ListHolds())
        {
            ListedHold listed = newest[known.Id];
            string context = $"hold {known.Id} of {known.CreatedAtMs}";
            (listed.Hold.Owner, listed.Hold.State, listed.Hold.CreatedAtMs, listed.Hold.ExpiresAtMs, listed.FinishedAtMs)
                .ShouldBe((known.Owner, known.State, known.CreatedAtMs, known.ExpiresAtMs, known.FinishedAtMs), context);
            listed.Hold.Lines.ShouldBe(known.Lines.Select(l => new HoldLineView(byNumber[l.Resource].Id, l.Quantity, l.Held, l.Consumed, l.Returned)), context);
        }

        foreach (ResourceView resource in resources)
        {
            List<Movement> own = [.. movements.Where(m => m.Resource == resource.Id)];
            (own.Sum(m => m.Available), own.Sum(m => m.Held), own.Sum(m => m.Consumed)).ShouldBe((resource.Available, resource.Held, resource.Consumed), resource.Id);
        }
    }
}
