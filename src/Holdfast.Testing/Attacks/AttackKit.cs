using System.Diagnostics;

namespace Holdfast.Testing.Attacks;

/// <summary>
/// Calls a participant as a coordinator on a bad network would, and holds what its balance shows against the rules. Each
/// attack works on transactions of its own and ends them, so it leaves confirmed ones behind and nothing frozen: attack a
/// test system.
/// </summary>
public sealed class AttackKit
{
    private const int ExhaustAtMost = 2_000;
    private static readonly string Inexhaustible = $"{ExhaustAtMost} reservations didn't exhaust it: attack a smaller balance";
    private static readonly TimeSpan SettleAtMost = TimeSpan.FromSeconds(20);

    private readonly Target _target;
    private readonly List<Finding> _findings = [];
    private decimal? _unit;
    private decimal? _reserved;
    private bool _inexhaustible;

    private AttackKit(AttackOptions options, HttpClient http) => _target = new Target(options, http);

    /// <summary>Attacks every rule, or those that the options name.</summary>
    /// <param name="options">What, and how hard.</param>
    /// <param name="told">Told of each finding as it is made.</param>
    /// <param name="cancellationToken">Ends between two attacks.</param>
    /// <exception cref="AttackException">The participant or its probe can't be reached or refuses its first tries, or a rule's id isn't one.</exception>
    public static async Task<IReadOnlyList<Finding>> RunAsync(AttackOptions options, Action<Finding>? told = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Only.FirstOrDefault(id => Rules.All.All(r => r.Id != id)) is { } unknown)
        {
            throw new AttackException($"There is no rule '{unknown}'. The rules: {string.Join(", ", Rules.All.Select(r => r.Id))}.");
        }

        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, PooledConnectionLifetime = TimeSpan.FromMinutes(1) };
        using var http = new HttpClient(handler) { Timeout = options.Timeout + TimeSpan.FromSeconds(5) };
        return await new AttackKit(options, http).RunAsync(told, cancellationToken);
    }

    private async Task<IReadOnlyList<Finding>> RunAsync(Action<Finding>? told, CancellationToken cancellationToken)
    {
        // The happy path is always walked: it teaches what a confirmed transaction changes.
        await AttackAsync(Rules.Clean, CleanAsync, told);
        var attacks = new (Rule Rule, Func<Task<string?>> Attack)[]
        {
            (Rules.DuplicateTry, () => RepeatedAsync(tries: 2, confirms: 1, atOnce: false)),
            (Rules.OverlappingTries, () => TimesAsync(() => RepeatedAsync(_target.Options.Parallel, 1, atOnce: true))),
            (Rules.CancelBeforeTry, CancelFirstAsync),
            (Rules.LateTry, LateTryAsync),
            (Rules.DuplicateConfirm, () => RepeatedAsync(tries: 1, confirms: 2, atOnce: false)),
            (Rules.OverlappingConfirms, () => TimesAsync(() => RepeatedAsync(1, _target.Options.Parallel, atOnce: true))),
            (Rules.ConfirmWithoutTry, ConfirmWithoutTryAsync),
            (Rules.ConfirmAfterCancel, ConfirmAfterCancelAsync),
            (Rules.DuplicateCancel, DuplicateCancelAsync),
            (Rules.CancelAfterConfirm, CancelAfterConfirmAsync),
            (Rules.TryAndCancelAtOnce, () => TimesAsync(TryAndCancelAtOnceAsync)),
            (Rules.LostAnswer, () => TimesAsync(LostAnswerAsync)),
            (Rules.SlowAnswer, () => TimesAsync(SlowAnswerAsync)),
            (Rules.Distinct, DistinctAsync),
            (Rules.DistinctBranches, DistinctBranchesAsync),
            (Rules.RefusalStatus, RefusalAsync),
            (Rules.RefusedTry, RefusedTryAsync),
            (Rules.RepeatAfterStockFell, RepeatAfterStockFellAsync),
            (Rules.ConfirmAfterStockFell, ConfirmAfterStockFellAsync),
            (Rules.UnknownCall, UnknownCallAsync),
            (Rules.Signature, SignatureAsync),
        };
        foreach ((Rule rule, Func<Task<string?>> attack) in attacks)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_target.Options.Only.Count == 0 || _target.Options.Only.Contains(rule.Id))
            {
                await AttackAsync(rule, attack, told);
            }
        }

        return _findings;
    }

    /// <summary>An attack says what was wrong, or null.</summary>
    private async Task AttackAsync(Rule rule, Func<Task<string?>> attack, Action<Finding>? told)
    {
        Finding finding;
        try
        {
            string? wrong = await attack();
            finding = new Finding(rule, wrong is null ? Verdict.Kept : Verdict.Broken, wrong ?? "as it must be" + (_target.Options.Probe is null ? ", by its statuses" : ""));
        }
        catch (SkipException e)
        {
            finding = new Finding(rule, Verdict.Skipped, e.Message);
        }

        _findings.Add(finding);
        told?.Invoke(finding);
    }

    private async Task<string?> CleanAsync()
    {
        decimal? before = await _target.ProbeAsync();
        string bought = _target.NewTransaction();
        int tried = await _target.TryAsync(bought);
        if (tried == 0)
        {
            throw new AttackException($"{_target.Options.Try} gives no answer. Is the participant running there?");
        }

        Insist(tried);
        int confirmed = await _target.ConfirmAsync(bought);
        decimal? after = await _target.ProbeAsync();
        if (tried / 100 != 2 || confirmed / 100 != 2)
        {
            return $"a first try was answered {tried}, its confirm {confirmed}" + (tried == 401 ? ": is the secret right?" : "");
        }

        _unit = after - before;
        string given = _target.NewTransaction();
        int triedAgain = await _target.TryAsync(given);
        Insist(triedAgain);
        _reserved = await _target.ProbeAsync() - after;
        int cancelled = await _target.CancelAsync(given);
        return _unit == 0 ? "a confirmed transaction didn't change the probe's number"
            : triedAgain / 100 != 2 || cancelled / 100 != 2 ? $"a second try was answered {triedAgain}, its cancel {cancelled}"
            : await ChangedAsync(after, 0);

        void Insist(int status)
        {
            if (status == 409)
            {
                throw new AttackException($"{_target.Options.Try} refuses a first try (409), so there is nothing to attack: {MoreNeeded}");
            }
        }
    }

    private async Task<string?> RepeatedAsync(int tries, int confirms, bool atOnce)
    {
        await EnoughForAsync(1);
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        int[] tried = await ManyAsync(tries, atOnce, () => _target.TryAsync(id));
        await UntilDoneAsync(() => _target.TryAsync(id));
        int[] confirmed = await ManyAsync(confirms, atOnce, () => _target.ConfirmAsync(id));
        await UntilDoneAsync(() => _target.ConfirmAsync(id));
        return Wrong("try", tried, atOnce) ?? Wrong("confirm", confirmed, atOnce) ?? await ChangedAsync(before, 1);
    }

    private async Task<string?> CancelFirstAsync()
    {
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        int cancelled = await _target.CancelAsync(id);
        int again = await _target.CancelAsync(id);
        return cancelled / 100 != 2 ? $"a cancel whose try never came was answered {cancelled}, not 200"
            : again / 100 != 2 ? $"its repeat was answered {again}, not 200"
            : await ChangedAsync(before, 0);
    }

    private async Task<string?> LateTryAsync()
    {
        await EnoughForAsync(1);
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        await _target.CancelAsync(id);
        int tried = await _target.TryAsync(id);
        string? changed = await ChangedAsync(before, 0);
        if (tried / 100 == 2)
        {
            await _target.CancelAsync(id);
        }

        return tried != 409 ? $"a try after its cancel was answered {tried}, not 409" : changed;
    }

    private async Task<string?> ConfirmWithoutTryAsync()
    {
        NeedConfirm("there is no confirm");
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        int confirmed = await _target.ConfirmAsync(id);
        string? changed = await ChangedAsync(before, 0);
        await _target.CancelAsync(id);
        return confirmed / 100 == 2 ? $"a confirm whose try never came was answered {confirmed}, not 409" : changed;
    }

    private async Task<string?> ConfirmAfterCancelAsync()
    {
        NeedConfirm("there is no confirm");
        await EnoughForAsync(1);
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        await _target.TryAsync(id);
        await UntilDoneAsync(() => _target.CancelAsync(id));
        int confirmed = await _target.ConfirmAsync(id);
        return confirmed / 100 == 2 ? $"a confirm after the cancel was answered {confirmed}, not 409" : await ChangedAsync(before, 0);
    }

    private async Task<string?> DuplicateCancelAsync()
    {
        await EnoughForAsync(1);
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        await _target.TryAsync(id);
        int first = await _target.CancelAsync(id);
        int second = await _target.CancelAsync(id);
        return first / 100 != 2 || second / 100 != 2 ? $"the cancels were answered {first} and {second}, not 200" : await ChangedAsync(before, 0);
    }

    private async Task<string?> CancelAfterConfirmAsync()
    {
        NeedConfirm("there is no confirm: a saga's step is undone after it was done");
        await EnoughForAsync(1);
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        await _target.TryAsync(id);
        await _target.ConfirmAsync(id);
        int cancelled = await _target.CancelAsync(id);
        return await ChangedAsync(before, 1) ?? (_target.Options.Probe is null && cancelled / 100 == 2 ? "a cancel after the confirm was answered " + cancelled : null);
    }

    /// <summary>Both orders take turns, each with a growing distance: left to chance, six rounds could all begin with the cancel.</summary>
    private async Task<string?> TryAndCancelAtOnceAsync(int round)
    {
        await EnoughForAsync(1);
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        bool cancelFirst = round % 2 == 1;
        Task<int> first = cancelFirst ? _target.CancelAsync(id) : _target.TryAsync(id);
        await Task.Delay(round / 2 % 4);
        await Task.WhenAll(first, cancelFirst ? _target.TryAsync(id) : _target.CancelAsync(id));
        await UntilDoneAsync(() => _target.CancelAsync(id));
        return await ChangedAsync(before, 0);
    }

    private async Task<string?> LostAnswerAsync()
    {
        await EnoughForAsync(1);
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        await _target.TryAsync(id, TimeSpan.FromMilliseconds(System.Random.Shared.Next(1, 15)));
        int tried = await UntilDoneAsync(() => _target.TryAsync(id));
        int confirmed = await UntilDoneAsync(() => _target.ConfirmAsync(id));
        return tried / 100 != 2 || confirmed / 100 != 2 ? $"after a lost answer the try was answered {tried}, the confirm {confirmed}" : await ChangedAsync(before, 1);
    }

    private async Task<string?> SlowAnswerAsync()
    {
        await EnoughForAsync(1);
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        Task<int> slow = _target.TryAsync(id);
        await Task.Delay(System.Random.Shared.Next(0, 5));
        int repeat = await _target.TryAsync(id);
        if (repeat / 100 == 2)
        {
            // It was told that it worked; so the confirm must work now, whatever the first is doing.
            int confirmed = await _target.ConfirmAsync(id);
            if (confirmed / 100 != 2 && confirmed != 425)
            {
                return $"a try repeated while the first still ran was answered {repeat}, but the confirm then {confirmed}";
            }
        }

        await slow;
        int tried = await UntilDoneAsync(() => _target.TryAsync(id));
        await UntilDoneAsync(() => _target.ConfirmAsync(id));
        return tried / 100 != 2 ? $"the try was answered {tried} in the end" : await ChangedAsync(before, 1);
    }

    private async Task<string?> DistinctAsync()
    {
        await EnoughForAsync(2);
        decimal? before = await _target.ProbeAsync();
        foreach (string id in new[] { _target.NewTransaction(), _target.NewTransaction() })
        {
            int tried = await _target.TryAsync(id), confirmed = await _target.ConfirmAsync(id);
            if (tried / 100 != 2 || confirmed / 100 != 2)
            {
                return $"a transaction of its own was answered {tried} and {confirmed}";
            }
        }

        return await ChangedAsync(before, 2);
    }

    private async Task<string?> DistinctBranchesAsync()
    {
        await EnoughForAsync(2);
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        string[] branches = ["first", "second"];
        foreach (string branch in branches)
        {
            int tried = await _target.TryAsync(id, branch: branch);
            if (tried / 100 != 2)
            {
                // Loud, so nothing is swallowed: a participant may want to be in a transaction once only.
                foreach (string taken in branches)
                {
                    await UntilDoneAsync(() => _target.CancelAsync(id, branch: taken));
                }

                throw new SkipException($"a transaction's {branch} branch was answered {Words(tried)}");
            }
        }

        foreach (string branch in branches)
        {
            int confirmed = await UntilDoneAsync(() => _target.ConfirmAsync(id, branch: branch));
            if (confirmed / 100 != 2)
            {
                return $"the try of a transaction's {branch} branch succeeded, and its confirm was answered {Words(confirmed)}";
            }
        }

        return await ChangedAsync(before, 2);
    }

    private async Task<string?> RefusalAsync()
    {
        Exhausted exhausted = await ExhaustAsync();
        await GiveBackAsync(exhausted.Taken);
        return exhausted.Status == 409 ? null : $"a try that can't be fulfilled was answered {Words(exhausted.Status)}, not 409";
    }

    private async Task<string?> RefusedTryAsync()
    {
        decimal? before = await _target.ProbeAsync();
        Exhausted exhausted = await ExhaustAsync();
        string id = exhausted.Refused;
        int repeated = await _target.TryAsync(id);
        await GiveBackAsync(exhausted.Taken);
        if (repeated / 100 == 2)
        {
            await UntilDoneAsync(() => _target.CancelAsync(id));
            return $"a try was answered {Words(exhausted.Status)}, and its repeat {repeated} though nothing had been given back";
        }

        // Now that there is something again, it may be refused once more, or take it and be confirmed.
        int later = await UntilDoneAsync(() => _target.TryAsync(id));
        if (later / 100 != 2)
        {
            int cancelled = await _target.CancelAsync(id);
            return cancelled / 100 != 2 ? $"the cancel of a refused try was answered {Words(cancelled)}, not 200" : await ChangedAsync(before, 0);
        }

        int confirmed = await UntilDoneAsync(() => _target.ConfirmAsync(id));
        return confirmed / 100 != 2 ? $"a refused try was repeated with success, and its confirm answered {Words(confirmed)}" : await ChangedAsync(before, 1);
    }

    private Task<string?> RepeatAfterStockFellAsync() => AfterStockFellAsync(confirms: false);

    private Task<string?> ConfirmAfterStockFellAsync()
    {
        NeedConfirm("there is no confirm");
        return AfterStockFellAsync(confirms: true);
    }

    /// <summary>Reserves, lets others take the rest, then confirms, or tries once more.</summary>
    private async Task<string?> AfterStockFellAsync(bool confirms)
    {
        await EnoughForAsync(1);
        string id = _target.NewTransaction();
        List<string> taken = [id];
        await _target.TryAsync(id);
        int status;
        try
        {
            taken.AddRange((await ExhaustAsync()).Taken);
            status = confirms ? await _target.ConfirmAsync(id) : await _target.TryAsync(id);
            if (confirms && status / 100 == 2)
            {
                taken.Remove(id);
            }
        }
        finally
        {
            await GiveBackAsync(taken);
        }

        return status / 100 == 2 ? null : $"{(confirms ? "the confirm" : "a repeat")} of a try that had succeeded was answered {Words(status)} once the rest was taken";
    }

    private async Task<string?> UnknownCallAsync()
    {
        await EnoughForAsync(1);
        var calls = new List<(string What, Func<string, Task<int>> Call)>
        {
            ("a call without the coordinator's headers", id => _target.TryAsync(id, forgery: Forgery.NoHeaders)),
            ("a call with an unknown op", id => _target.TryAsync(id, forgery: Forgery.UnknownOp)),
        };

        // One URL for all is told by the op alone.
        if (_target.Options.Try != _target.Options.Cancel)
        {
            calls.Add(("a call of the try's URL whose op is cancel", id => _target.TryAsync(id, forgery: Forgery.OtherOp)));
            calls.Add(("a call of the cancel's URL whose op is try", id => _target.CancelAsync(id, Forgery.OtherOp)));
        }

        decimal? before = await _target.ProbeAsync();
        foreach ((string what, Func<string, Task<int>> call) in calls)
        {
            string id = _target.NewTransaction();
            int status = await call(id);
            string? changed = await ChangedAsync(before, 0);
            await _target.CancelAsync(id);
            if (status / 100 == 2)
            {
                return $"{what} was answered {status}";
            }

            if (changed is not null)
            {
                return what + ": " + changed;
            }
        }

        return null;
    }

    private async Task<string?> SignatureAsync()
    {
        if (_target.Options.Secret is null)
        {
            throw new SkipException("no secret was given");
        }

        await EnoughForAsync(1);
        foreach ((string op, Func<string, Forgery, Task<int>> call) in new (string, Func<string, Forgery, Task<int>>)[]
        {
            ("try", (id, forgery) => _target.TryAsync(id, forgery: forgery)),
            ("confirm", (id, forgery) => _target.ConfirmAsync(id, forgery)),
            ("cancel", (id, forgery) => _target.CancelAsync(id, forgery)),
        })
        {
            if (op == "confirm" && _target.Options.Confirm is null)
            {
                continue;
            }

            string id = _target.NewTransaction();
            if (op != "try")
            {
                await _target.TryAsync(id);
            }

            string? wrong = await ForgedAsync(op, forgery => call(id, forgery));
            await _target.CancelAsync(id);
            if (wrong is not null)
            {
                return wrong;
            }
        }

        return null;
    }

    private async Task<string?> ForgedAsync(string op, Func<Forgery, Task<int>> call)
    {
        decimal? before = await _target.ProbeAsync();
        foreach ((Forgery forgery, string what) in new[]
        {
            (Forgery.Unsigned, $"an unsigned {op}"), (Forgery.WrongKey, $"a {op} signed with another key"), (Forgery.AlteredBody, $"a {op} whose body was altered by one blank"),
            (Forgery.SignedForAnother, $"a {op} whose headers name another transaction than its signed webhook-id"),
        })
        {
            int status = await call(forgery);
            if (status is not (401 or 403 or 400))
            {
                return $"{what} was answered {Words(status)}, not 401";
            }

            if (await ChangedAsync(before, 0) is { } changed)
            {
                return what + ": " + changed;
            }
        }

        return null;
    }

    private void NeedConfirm(string why)
    {
        if (_target.Options.Confirm is null)
        {
            throw new SkipException(why);
        }
    }

    private string MoreNeeded => $"give it enough for {_target.Options.TriesNeeded} tries of this body";

    /// <summary>Sees that what an attack needs is there: else it would take for a fault that there is nothing left.</summary>
    private async Task EnoughForAsync(int tries)
    {
        List<string> taken = [];
        int status = 200;
        while (taken.Count < tries && status != 409)
        {
            taken.Add(_target.NewTransaction());
            status = await _target.TryAsync(taken[^1]);
        }

        await GiveBackAsync(taken);
        if (status == 409)
        {
            throw new SkipException($"there is nothing left to reserve: {MoreNeeded}");
        }
    }

    /// <summary>Reserves until it is refused, or until what a try should take isn't taken.</summary>
    private async Task<Exhausted> ExhaustAsync()
    {
        if (_inexhaustible)
        {
            throw new SkipException(Inexhaustible);
        }

        var taken = new List<string>();
        decimal? before = _reserved is null or 0 ? null : await _target.ProbeAsync();
        for (int i = 0; i < ExhaustAtMost; i++)
        {
            string id = _target.NewTransaction();
            int status = await _target.TryAsync(id);
            if (status == 409)
            {
                return new Exhausted(taken, id, status);
            }

            taken.Add(id);
            decimal? after = before is null ? null : await _target.ProbeAsync();
            if (status / 100 != 2 || (before is not null && after == before))
            {
                return new Exhausted(taken, id, status);
            }

            before = after;
        }

        await GiveBackAsync(taken);
        _inexhaustible = true;
        throw new SkipException(Inexhaustible);
    }

    private async Task GiveBackAsync(List<string> taken)
    {
        foreach (string id in taken)
        {
            await UntilDoneAsync(() => _target.CancelAsync(id));
        }
    }

    private Task<string?> TimesAsync(Func<Task<string?>> attack) => TimesAsync(_ => attack());

    private async Task<string?> TimesAsync(Func<int, Task<string?>> attack)
    {
        for (int i = 0; i < _target.Options.Repeat; i++)
        {
            if (await attack(i) is { } wrong)
            {
                return wrong;
            }
        }

        return null;
    }

    private static async Task<int[]> ManyAsync(int count, bool atOnce, Func<Task<int>> call)
    {
        if (atOnce)
        {
            return await Task.WhenAll(Enumerable.Range(0, count).Select(_ => call()));
        }

        int[] statuses = new int[count];
        for (int i = 0; i < count; i++)
        {
            statuses[i] = await call();
        }

        return statuses;
    }

    /// <summary>Asks again, as a coordinator would, until the answer is final.</summary>
    private static async Task<int> UntilDoneAsync(Func<Task<int>> call)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            int status = await call();
            if (status / 100 == 2 || status == 409 || waited.Elapsed > SettleAtMost)
            {
                return status;
            }

            await Task.Delay(50);
        }
    }

    /// <summary>At once, some may be told to wait (425) or fail for the lock; in turn, each must succeed.</summary>
    private static string? Wrong(string op, int[] statuses, bool atOnce) =>
        statuses.Any(s => atOnce ? s == 409 : s / 100 != 2) ? $"the same {op} {(atOnce ? "at once" : "in turn")} was answered {string.Join(", ", statuses.Select(Words).Distinct())}" : null;

    private static string Words(int status) => status == 0 ? "with nothing" : status.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private async Task<string?> ChangedAsync(decimal? before, int units)
    {
        if (before is null || await _target.ProbeAsync() is not { } after || _unit is null)
        {
            return null;
        }

        decimal expected = units * _unit.Value;
        return after - before == expected ? null : $"the balance changed by {after - before}, not by {expected}";
    }

    /// <summary>What was reserved; the try that was not fulfilled, and how it was answered.</summary>
    private readonly record struct Exhausted(List<string> Taken, string Refused, int Status);

    private sealed class SkipException(string message) : Exception(message);
}
