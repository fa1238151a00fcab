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
    private static readonly TimeSpan SettleAtMost = TimeSpan.FromSeconds(20);

    private readonly Target _target;
    private readonly List<Finding> _findings = [];
    private decimal? _unit;

    private AttackKit(AttackOptions options, HttpClient http) => _target = new Target(options, http);

    /// <summary>Attacks every rule, or those that the options name.</summary>
    /// <param name="options">What, and how hard.</param>
    /// <param name="told">Told of each finding as it is made.</param>
    /// <param name="cancellationToken">Ends between two attacks.</param>
    /// <exception cref="AttackException">The participant or its probe can't be reached, or a rule's id isn't one.</exception>
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
            (Rules.DuplicateCancel, DuplicateCancelAsync),
            (Rules.CancelAfterConfirm, CancelAfterConfirmAsync),
            (Rules.TryAndCancelAtOnce, () => TimesAsync(TryAndCancelAtOnceAsync)),
            (Rules.LostAnswer, () => TimesAsync(LostAnswerAsync)),
            (Rules.SlowAnswer, () => TimesAsync(SlowAnswerAsync)),
            (Rules.Distinct, DistinctAsync),
            (Rules.RefusalStatus, RefusalAsync),
            (Rules.RepeatAfterStockFell, RepeatAfterStockFellAsync),
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
        catch (HttpRequestException e)
        {
            throw new AttackException($"The probe {_target.Options.Probe} can't be read: {e.Message}", e);
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

        int confirmed = await _target.ConfirmAsync(bought);
        decimal? after = await _target.ProbeAsync();
        if (tried / 100 != 2 || confirmed / 100 != 2)
        {
            return $"a first try was answered {tried}, its confirm {confirmed}" + (tried == 401 ? ": is the secret right?" : "");
        }

        _unit = after - before;
        string given = _target.NewTransaction();
        int triedAgain = await _target.TryAsync(given);
        int cancelled = await _target.CancelAsync(given);
        return _unit == 0 ? "a confirmed transaction didn't change the probe's number"
            : triedAgain / 100 != 2 || cancelled / 100 != 2 ? $"a second try was answered {triedAgain}, its cancel {cancelled}"
            : await ChangedAsync(after, 0);
    }

    private async Task<string?> RepeatedAsync(int tries, int confirms, bool atOnce)
    {
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

    private async Task<string?> DuplicateCancelAsync()
    {
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        await _target.TryAsync(id);
        int first = await _target.CancelAsync(id);
        int second = await _target.CancelAsync(id);
        return first / 100 != 2 || second / 100 != 2 ? $"the cancels were answered {first} and {second}, not 200" : await ChangedAsync(before, 0);
    }

    private async Task<string?> CancelAfterConfirmAsync()
    {
        if (_target.Options.Confirm is null)
        {
            throw new SkipException("there is no confirm: a saga's step is undone after it was done");
        }

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
        decimal? before = await _target.ProbeAsync();
        string id = _target.NewTransaction();
        await _target.TryAsync(id, TimeSpan.FromMilliseconds(System.Random.Shared.Next(1, 15)));
        int tried = await UntilDoneAsync(() => _target.TryAsync(id));
        int confirmed = await UntilDoneAsync(() => _target.ConfirmAsync(id));
        return tried / 100 != 2 || confirmed / 100 != 2 ? $"after a lost answer the try was answered {tried}, the confirm {confirmed}" : await ChangedAsync(before, 1);
    }

    private async Task<string?> SlowAnswerAsync()
    {
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

    private async Task<string?> RefusalAsync()
    {
        (List<string> taken, int refused) = await ExhaustAsync();
        await GiveBackAsync(taken);
        return refused == 409 ? null : $"a try that can't be fulfilled was answered {Words(refused)}, not 409";
    }

    private async Task<string?> RepeatAfterStockFellAsync()
    {
        string id = _target.NewTransaction();
        if (await _target.TryAsync(id) / 100 != 2)
        {
            throw new SkipException("there is nothing left to reserve");
        }

        List<string> taken = [id];
        int repeated;
        try
        {
            (List<string> rest, _) = await ExhaustAsync();
            taken.AddRange(rest);
            repeated = await _target.TryAsync(id);
        }
        finally
        {
            await GiveBackAsync(taken);
        }

        return repeated / 100 == 2 ? null : $"a repeat of a try that had succeeded was answered {repeated} once the rest was taken";
    }

    private async Task<string?> UnknownCallAsync()
    {
        decimal? before = await _target.ProbeAsync();
        foreach (Forgery forgery in new[] { Forgery.NoHeaders, Forgery.UnknownOp })
        {
            string id = _target.NewTransaction();
            int status = await _target.TryAsync(id, forgery: forgery);
            string what = forgery == Forgery.NoHeaders ? "a call without the coordinator's headers" : "a call with an unknown op";
            if (status / 100 == 2)
            {
                return $"{what} was answered {status}";
            }

            if (await ChangedAsync(before, 0) is { } changed)
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

        decimal? before = await _target.ProbeAsync();
        foreach ((Forgery forgery, string what) in new[]
        {
            (Forgery.Unsigned, "an unsigned call"), (Forgery.WrongKey, "a call signed with another key"), (Forgery.AlteredBody, "a call whose body was altered by one blank"),
            (Forgery.SignedForAnother, "a call whose headers name another transaction than its signed webhook-id"),
        })
        {
            string id = _target.NewTransaction();
            int status = await _target.TryAsync(id, forgery: forgery);
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

    /// <summary>Reserves until it is refused.</summary>
    private async Task<(List<string> Taken, int Refused)> ExhaustAsync()
    {
        var taken = new List<string>();
        for (int i = 0; i < ExhaustAtMost; i++)
        {
            string id = _target.NewTransaction();
            int status = await _target.TryAsync(id);
            if (status / 100 != 2)
            {
                return (taken, status);
            }

            taken.Add(id);
        }

        await GiveBackAsync(taken);
        throw new SkipException($"{ExhaustAtMost} reservations didn't exhaust it: attack a smaller balance");
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

    private sealed class SkipException(string message) : Exception(message);
}
