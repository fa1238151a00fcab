using System.Text.Json;
using Holdfast.Client.Http;

namespace Holdfast.Client;

/// <summary>A participant that is known in code: its address once, in place of URLs at each branch.</summary>
/// <typeparam name="TBody">What its actions are told.</typeparam>
/// <param name="BaseUrl">Where it was mapped; its actions stand below it as <c>/try</c>, <c>/confirm</c> and <c>/cancel</c>.</param>
public sealed record ParticipantAddress<TBody>(string BaseUrl)
{
    /// <summary>Longest wait for each of its answers; null: the server's default.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Whether it has a confirm (TCC), or its try is final unless undone (saga).</summary>
    public bool HasConfirm { get; init; } = true;

    internal void Fill(BranchBuilder branch, TBody body)
    {
        string root = BaseUrl.TrimEnd('/');
        branch.Try(root + "/try", body, Timeout).Cancel(root + "/cancel", body, Timeout);
        if (HasConfirm)
        {
            branch.Confirm(root + "/confirm", body, Timeout);
        }
    }
}

/// <summary>The calls of a branch. All three are TCC; try and cancel alone a saga's step; confirm alone a delivery.</summary>
public sealed class BranchBuilder
{
    private static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web);
    private readonly string _name;
    private CallBody? _try;
    private CallBody? _confirm;
    private CallBody? _cancel;
    private string[]? _after;

    internal BranchBuilder(string name) => _name = name;

    /// <summary>Reserves, or does.</summary>
    public BranchBuilder Try<TBody>(string url, TBody body, TimeSpan? timeout = null) => Set(ref _try, url, body, timeout);

    /// <summary>Consumes, or delivers.</summary>
    public BranchBuilder Confirm<TBody>(string url, TBody body, TimeSpan? timeout = null) => Set(ref _confirm, url, body, timeout);

    /// <summary>Releases, or undoes.</summary>
    public BranchBuilder Cancel<TBody>(string url, TBody body, TimeSpan? timeout = null) => Set(ref _cancel, url, body, timeout);

    /// <inheritdoc cref="Try{TBody}"/>
    public BranchBuilder Try(string url) => Try<object?>(url, null);

    /// <inheritdoc cref="Confirm{TBody}"/>
    public BranchBuilder Confirm(string url) => Confirm<object?>(url, null);

    /// <inheritdoc cref="Cancel{TBody}"/>
    public BranchBuilder Cancel(string url) => Cancel<object?>(url, null);

    /// <summary>Branches that must be tried before this one. Once any branch says so, the transaction is a graph; none: a list.</summary>
    public BranchBuilder After(params string[] branches)
    {
        _after = branches;
        return this;
    }

    internal CallBody? TryCall => _try;

    internal BranchBody Build() => new(_name, _after, _try, _confirm, _cancel, null);

    private BranchBuilder Set<TBody>(ref CallBody? call, string url, TBody body, TimeSpan? timeout)
    {
        ArgumentException.ThrowIfNullOrEmpty(url);
        call = new CallBody(url, body is null ? null : JsonSerializer.SerializeToElement(body, Web), (decimal?)timeout?.TotalSeconds);
        return this;
    }
}
