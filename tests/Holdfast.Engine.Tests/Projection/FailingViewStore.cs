using System.Data.Common;
using Holdfast.Engine.Projection;
using Holdfast.Kernel;

namespace Holdfast.Engine.Tests.Projection;

/// <summary>
/// Fails at one step of its life after another, by its number: before a call reached the database, or after it was
/// committed and before the caller learnt so: what a crash between any two steps looks like from the next start.
/// </summary>
internal sealed class FailingViewStore(IViewStore inner, Func<int, bool> fails) : IViewStore
{
    private int _step;

    public bool HasSpaceColumn => inner.HasSpaceColumn;

    public int Failed { get; private set; }

    public async Task<ViewPosition?> OpenAsync(CancellationToken cancellationToken)
    {
        Step();
        ViewPosition? position = await inner.OpenAsync(cancellationToken);
        Step();
        return position;
    }

    public async Task BeginAsync(SpaceMachine? machine, ViewPosition position, CancellationToken cancellationToken)
    {
        Step();
        await inner.BeginAsync(machine, position, cancellationToken);
        Step();
    }

    public async Task ApplyAsync(ViewChunk chunk, ViewPosition after, CancellationToken cancellationToken)
    {
        Step();
        await inner.ApplyAsync(chunk, after, cancellationToken);
        Step();
    }

    public Task<T> ReadAsync<T>(Func<DbConnection, DbTransaction, T> read, CancellationToken cancellationToken) => inner.ReadAsync(read, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private void Step()
    {
        if (fails(++_step))
        {
            Failed++;
            throw new IOException($"step {_step} fails");
        }
    }
}
