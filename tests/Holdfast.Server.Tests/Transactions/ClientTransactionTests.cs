using Holdfast.Client;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Server.Tests.Transactions;

/// <summary>The client's transactions against a real server and a participant that answers by a script.</summary>
public sealed class ClientTransactionTests : IAsyncLifetime
{
    private const string Secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    private RunningServer _server = null!;
    private ScriptedParticipant _participant = null!;
    private IHoldfastClient _client = null!;
    private ParticipantAddress<Deduct> _points = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await RunningServer.StartAsync(RunningServer.Settings with { SigningSecrets = [Secret] });
        _participant = await ScriptedParticipant.StartAsync();
        _client = HoldfastClient.Connect(new HoldfastClientOptions { HttpAddress = _server.Http.BaseAddress, SigningSecret = Secret });
        _points = new ParticipantAddress<Deduct>(_participant.Url + "/points");
        await _server.StockAsync("sku", 10);
    }

    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        await _server.DisposeAsync();
        await _participant.DisposeAsync();
    }

    [Fact]
    public async Task A_transaction_in_one_readable_block()
    {
        await using (OpenTransaction tx = await _client.BeginTransactionAsync("order-1"))
        {
            (await tx.HoldAsync("stock", "ann", new HoldLine("sku", 2))).EnsureSucceeded();
            (await tx.CallAsync("points", _points, new Deduct("ann", 10))).EnsureSucceeded();
            Transaction done = (await tx.CommitAsync(TimeSpan.FromSeconds(20))).EnsureSucceeded();
            done.State.ShouldBe(TransactionState.Confirmed);
        }

        _participant.Paths.ShouldBe("/points/try /points/confirm");
        AskedCall tried = _participant.Asked.First();
        System.Text.Encoding.UTF8.GetString(tried.Body).ShouldBe("""{"user":"ann","points":10}""");
        tried.Headers["Holdfast-Op"].ShouldBe("try");
        byte[] signed = [.. System.Text.Encoding.UTF8.GetBytes($"{tried.Headers["webhook-id"]}.{tried.Headers["webhook-timestamp"]}."), .. tried.Body];
        tried.Headers["webhook-signature"].ShouldBe("v1," + Convert.ToBase64String(System.Security.Cryptography.HMACSHA256.HashData(Convert.FromBase64String(Secret[6..]), signed)));
        tried.Headers["webhook-id"].ShouldBe(_participant.Asked.Last().Headers["webhook-id"].Replace("/confirm", "/try", StringComparison.Ordinal));
        (await _client.GetHoldAsync("order-1:stock"))!.State.ShouldBe(HoldState.Confirmed);
    }

    [Fact]
    public async Task Typed_actions_in_place_of_URLs_by_hand_and_in_a_plan()
    {
        var shop = new ShopContract(_participant.Url);
        await using (OpenTransaction tx = await _client.BeginTransactionAsync("typed-1"))
        {
            (await tx.HoldAsync("stock", "ann", [new HoldLine("sku", 1)], CancellationToken.None)).EnsureSucceeded();
            (await tx.CallAsync("points", shop, s => s.Deduct("ann", 10))).EnsureSucceeded();
            (await tx.CommitAsync(TimeSpan.FromSeconds(20))).EnsureSucceeded().State.ShouldBe(TransactionState.Confirmed);
        }

        _participant.Paths.ShouldBe("/points/try /points/confirm");
        System.Text.Encoding.UTF8.GetString(_participant.Asked.First().Body).ShouldBe("""{"user":"ann","points":10}""");

        _participant.Asked.Clear();
        TransactionPlan saga = TransactionPlan.Saga("typed-2").Branch("ship", shop, s => s.Ship("o-1")).Branch("tell", shop, s => s.Tell("o-1"), "ship");
        (await _client.Transactions.SubmitAsync(saga, TimeSpan.FromSeconds(20))).EnsureSucceeded().State.ShouldBe(TransactionState.Confirmed);
        _participant.Paths.ShouldBe("/parcels/try /mails/confirm");
    }

    [Fact]
    public async Task A_branch_that_was_refused_can_not_be_committed_by_oversight()
    {
        _participant.Answer = static asked => Task.FromResult((asked.Path.EndsWith("try", StringComparison.Ordinal) ? 409 : 200, "not enough points"));
        await using (OpenTransaction tx = await _client.BeginTransactionAsync("oversight"))
        {
            (await tx.CallAsync("points", _points, new Deduct("ann", 10))).Succeeded.ShouldBeFalse();
            (await Should.ThrowAsync<InvalidOperationException>(() => tx.CommitAsync())).Message.ShouldContain("points");
        }

        (await _client.Transactions.FindAsync("oversight", TimeSpan.FromSeconds(20)))!.State.ShouldBe(TransactionState.Cancelled);
    }

    [Fact]
    public async Task Leaving_the_block_before_the_commit_cancels_what_was_registered()
    {
        _participant.Answer = static asked => Task.FromResult((asked.Path.EndsWith("try", StringComparison.Ordinal) ? 409 : 200, "not enough points"));
        await Should.ThrowAsync<HoldRefusedException>(async () =>
        {
            await using OpenTransaction tx = await _client.BeginTransactionAsync("order-2");
            (await tx.HoldAsync("stock", null, new HoldLine("sku", 2))).EnsureSucceeded();
            TryResult refused = await tx.CallAsync("points", _points, new Deduct("ann", 10));
            refused.Refusal!.Message.ShouldContain("not enough points");
            refused.EnsureSucceeded();
        });
        Transaction ended = (await _client.Transactions.FindAsync("order-2", TimeSpan.FromSeconds(20)))!;
        (ended.State, ended.ReasonCode).ShouldBe((TransactionState.Cancelled, "aborted"));
        _participant.Paths.ShouldBe("/points/try /points/cancel");
        (await _client.GetResourceAsync("sku"))!.Available.ShouldBe(10);
    }

    [Fact]
    public async Task A_branch_is_registered_before_its_try_and_a_try_without_a_usable_answer_is_repeated()
    {
        int tries = 0;
        string? registered = null;
        _participant.Answer = async asked =>
        {
            if (asked.Path.EndsWith("try", StringComparison.Ordinal))
            {
                registered ??= (await _client.Transactions.FindAsync("order-3"))!.Branches.SingleOrDefault()?.Name;
                return (Interlocked.Increment(ref tries) < 3 ? 500 : 200, "");
            }

            return (200, "");
        };
        await using OpenTransaction tx = await _client.BeginTransactionAsync("order-3");
        (await tx.CallAsync("points", b => b.Try(_participant.Url + "/x/try").Confirm(_participant.Url + "/x/confirm").Cancel(_participant.Url + "/x/cancel"))).Succeeded.ShouldBeTrue();
        registered.ShouldBe("points");
        tries.ShouldBe(3);
        (await tx.CommitAsync(TimeSpan.FromSeconds(20))).EnsureSucceeded().State.ShouldBe(TransactionState.Confirmed);
        (await tx.CommitAsync()).Succeeded.ShouldBeTrue();
        (await tx.AbortAsync()).Refusal!.Code.ShouldBe(RefusalCode.Confirmed);
    }

    [Fact]
    public async Task Whole_forms_of_TCC_saga_and_message()
    {
        TimeSpan wait = TimeSpan.FromSeconds(20);
        TransactionPlan tcc = TransactionPlan.Tcc("tcc").Hold("stock", "ann", new HoldLine("sku", 1)).Branch("points", _points, new Deduct("ann", 1));
        (await _client.Transactions.SubmitAsync(tcc, wait)).EnsureSucceeded().State.ShouldBe(TransactionState.Confirmed);
        (await _client.Transactions.SubmitAsync(tcc)).EnsureSucceeded().State.ShouldBe(TransactionState.Confirmed, "a repeat");
        _participant.Paths.ShouldBe("/points/try /points/confirm");

        _participant.Asked.Clear();
        _participant.Answer = static asked => Task.FromResult((asked.Path == "/c/do" ? 409 : 200, ""));
        string url = _participant.Url;
        Transaction saga = (await _client.Transactions.SubmitAsync(
            TransactionPlan.Saga("saga").Step("a", url + "/a/do", url + "/a/undo", 1).Step("b", url + "/b/do", url + "/b/undo", 2).Step("c", url + "/c/do", url + "/c/undo", 3), wait)).EnsureSucceeded();
        saga.State.ShouldBe(TransactionState.Cancelled);
        _participant.Paths.ShouldBe("/a/do /b/do /c/do /b/undo /a/undo");

        _participant.Asked.Clear();
        TransactionPlan message = TransactionPlan.Message("message").Deliver("ship", url + "/ship", "parcel").CheckBack(url + "/check");
        (await _client.Transactions.PrepareAsync(message)).EnsureSucceeded().State.ShouldBe(TransactionState.Trying);
        _participant.Asked.ShouldBeEmpty();
        (await _client.Transactions.CommitAsync("message", wait)).EnsureSucceeded().State.ShouldBe(TransactionState.Confirmed);
        _participant.Paths.ShouldBe("/ship");
        await Should.ThrowAsync<ArgumentException>(() => _client.Transactions.SubmitAsync(message));
        await Should.ThrowAsync<InvalidOperationException>(() => _client.Transactions.PrepareAsync(TransactionPlan.Message("m2").Deliver("a", url, 1)));
    }

    [Fact]
    public async Task Operators_see_explain_retry_and_force()
    {
        _participant.Answer = static asked => Task.FromResult((asked.Path.EndsWith("confirm", StringComparison.Ordinal) ? 409 : 200, "closed"));
        Transaction stuck = (await _client.Transactions.SubmitAsync(TransactionPlan.Tcc("t").Branch("points", _points, new Deduct("ann", 1)), TimeSpan.FromSeconds(20))).EnsureSucceeded();
        (stuck.State, stuck.Commits).ShouldBe((TransactionState.Stuck, true));
        stuck.Explanation!.ShouldContain("closed");
        List<string> listed = [];
        await foreach (Transaction transaction in _client.Transactions.ListAsync(TransactionState.Stuck))
        {
            listed.Add(transaction.Id);
        }

        listed.ShouldBe(["t"]);
        (await _client.Transactions.RetryAsync("t", wait: TimeSpan.FromSeconds(5))).EnsureSucceeded().State.ShouldBe(TransactionState.Stuck);
        (await _client.Transactions.ForceAsync("t", "paid by hand", dryRun: true)).EnsureSucceeded().WouldDo!.Count.ShouldBe(1);
        (await _client.Transactions.ForceAsync("t", "paid by hand")).EnsureSucceeded().State.ShouldBe(TransactionState.Confirmed);
        (await _client.Transactions.FindAsync("nobody")).ShouldBeNull();
        (await _client.Transactions.CommitAsync("nobody")).Refusal!.Code.ShouldBe(RefusalCode.NotFound);
    }

    [Fact]
    public async Task Transactions_of_most_branches_with_longest_ids_are_listed()
    {
        await _server.StockAsync("many", 100_000);
        const int Count = 210;
        for (int i = 0; i < Count; i++)
        {
            TransactionPlan plan = TransactionPlan.Tcc($"{i:000}{new string('t', 60)}");
            for (int b = 0; b < 64; b++)
            {
                plan.Hold($"{b:00}{new string('b', 62)}", null, new HoldLine("many", 1));
            }

            (await _client.Transactions.SubmitAsync(plan)).EnsureSucceeded();
        }

        List<string> listed = [];
        await foreach (Transaction transaction in _client.Transactions.ListAsync())
        {
            transaction.Branches.Count.ShouldBe(64);
            listed.Add(transaction.Id[..3]);
        }

        listed.ShouldBe(Enumerable.Range(0, Count).Select(i => $"{i:000}"));
    }

    [Fact]
    public async Task A_try_without_a_usable_answer_is_asked_again_more_often_than_other_calls()
    {
        int tries = 0;
        _participant.Answer = asked => Task.FromResult((asked.Path == "/points/try" && Interlocked.Increment(ref tries) <= 12 ? 503 : 200, ""));
        await using IHoldfastClient client = Connect(o => o.Retry.MaxDelay = o.Retry.BaseDelay);
        await using OpenTransaction tx = await client.BeginTransactionAsync("patient");
        (await tx.CallAsync("points", _points, new Deduct("ann", 10))).EnsureSucceeded();
        _participant.Asked.Select(a => a.Headers["Holdfast-Attempt"]).ShouldBe(Enumerable.Range(1, 13).Select(n => n.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        (await tx.CommitAsync(TimeSpan.FromSeconds(20))).EnsureSucceeded().State.ShouldBe(TransactionState.Confirmed);
    }

    [Fact]
    public async Task A_try_that_never_gets_a_usable_answer_is_given_up_at_the_deadline()
    {
        _participant.Answer = static asked => Task.FromResult((asked.Path == "/points/try" ? 503 : 200, ""));
        await using IHoldfastClient client = Connect(o => o.Retry.MaxDelay = o.Retry.BaseDelay);
        await using (OpenTransaction tx = await client.BeginTransactionAsync("hopeless", TimeSpan.FromSeconds(1)))
        {
            HoldfastUnavailableException given = await Should.ThrowAsync<HoldfastUnavailableException>(() => tx.CallAsync("points", _points, new Deduct("ann", 10)));
            given.Message.ShouldContain("deadline");
            given.Message.ShouldContain(_participant.Url + "/points/try"); // the last attempt is cut off at the deadline, or answered 503
            given.Id.ShouldBe("hopeless");
        }

        (await _client.Transactions.FindAsync("hopeless", TimeSpan.FromSeconds(20)))!.State.ShouldBe(TransactionState.Cancelled);
    }

    [Fact]
    public async Task A_participant_that_says_not_yet_is_asked_again_after_a_second()
    {
        int tries = 0;
        _participant.Answer = asked => Task.FromResult((asked.Path == "/points/try" && Interlocked.Increment(ref tries) <= 3 ? 425 : 200, ""));
        var time = new SecondsPassAtOnce();
        await using IHoldfastClient client = Connect(o => o.TimeProvider = time);
        await using OpenTransaction tx = await client.BeginTransactionAsync("not-yet");
        (await tx.CallAsync("points", _points, new Deduct("ann", 10))).EnsureSucceeded();
        time.Seconds.ShouldBe(3);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    public async Task A_try_whose_signature_is_not_taken_is_not_repeated_and_the_secret_is_named(int status)
    {
        _participant.Answer = asked => Task.FromResult((asked.Path == "/points/try" ? status : 200, ""));
        await using IHoldfastClient client = Connect(o => o.SigningSecret = null);
        await using OpenTransaction tx = await client.BeginTransactionAsync("unsigned");
        (await Should.ThrowAsync<HoldfastDeniedException>(() => tx.CallAsync("points", _points, new Deduct("ann", 10)))).Message.ShouldContain("SigningSecret");
        _participant.Paths.ShouldBe("/points/try");
    }

    [Fact]
    public async Task A_branch_whose_call_was_given_up_can_be_called_again_and_committed()
    {
        using var gaveUp = new CancellationTokenSource();
        _participant.Answer = async _ =>
        {
            await gaveUp.CancelAsync();
            return (503, "");
        };
        await using OpenTransaction tx = await _client.BeginTransactionAsync("again");
        await Should.ThrowAsync<OperationCanceledException>(() => tx.CallAsync("points", _points, new Deduct("ann", 10), gaveUp.Token));
        await Should.ThrowAsync<InvalidOperationException>(() => tx.CommitAsync());

        _participant.Answer = static _ => Task.FromResult((200, ""));
        (await tx.CallAsync("points", _points, new Deduct("ann", 10))).EnsureSucceeded();
        (await tx.CommitAsync(TimeSpan.FromSeconds(20))).EnsureSucceeded().State.ShouldBe(TransactionState.Confirmed);
    }

    [Fact]
    public async Task A_branch_of_which_nobody_knows_whether_it_was_registered_can_not_be_committed()
    {
        using var http = new HttpClient(new Losing("/branches"));
        await using var client = new HttpHoldfastClient(http, Options(o => o.Retry.MaxAttempts = 1));
        await using (OpenTransaction tx = await client.BeginTransactionAsync("unknown"))
        {
            await Should.ThrowAsync<HoldfastUnavailableException>(() => tx.HoldAsync("stock", "ann", new HoldLine("sku", 2)));
            (await Should.ThrowAsync<InvalidOperationException>(() => tx.CommitAsync())).Message.ShouldContain("stock");
            (await tx.HoldAsync("stock", "ann", new HoldLine("sku", 2))).EnsureSucceeded();
            (await tx.HoldAsync("more", "ann", new HoldLine("sku", 2000))).Refusal!.Code.ShouldBe(RefusalCode.Insufficient);
            (await tx.CommitAsync(TimeSpan.FromSeconds(20))).EnsureSucceeded().State.ShouldBe(TransactionState.Confirmed);
        }
    }

    [Fact]
    public async Task Leaving_the_block_aborts_when_the_commit_or_the_abort_was_never_sent()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await using (OpenTransaction tx = await _client.BeginTransactionAsync("unsent-commit"))
        {
            await Should.ThrowAsync<OperationCanceledException>(() => tx.CommitAsync(null, cancelled.Token));
        }

        (await _client.Transactions.FindAsync("unsent-commit"))!.State.ShouldBe(TransactionState.Cancelled);
        await using (OpenTransaction tx = await _client.BeginTransactionAsync("unsent-abort"))
        {
            await Should.ThrowAsync<OperationCanceledException>(() => tx.AbortAsync(null, null, cancelled.Token));
        }

        (await _client.Transactions.FindAsync("unsent-abort"))!.State.ShouldBe(TransactionState.Cancelled);
    }

    [Fact]
    public async Task Leaving_the_block_after_a_commit_whose_answer_was_lost_does_not_abort()
    {
        using var http = new HttpClient(new Losing("/commit"));
        await using var client = new HttpHoldfastClient(http, Options(o => o.Retry.MaxAttempts = 1));
        await using (OpenTransaction tx = await client.BeginTransactionAsync("lost-commit"))
        {
            await Should.ThrowAsync<HoldfastUnavailableException>(() => tx.CommitAsync());
        }

        (await _client.Transactions.FindAsync("lost-commit"))!.Commits.ShouldBe(true);
    }

    [Fact]
    public async Task A_host_gets_its_client_by_one_line()
    {
        await using ServiceProvider services = new ServiceCollection().AddHoldfastClient(o => o.HttpAddress = _server.Http.BaseAddress).BuildServiceProvider();
        (await services.GetRequiredService<IHoldfastClient>().GetResourceAsync("sku"))!.Available.ShouldBe(10);
    }

    [Fact]
    public async Task A_RESP_client_without_HTTP_says_what_is_missing()
    {
        await using var resp = new RespHoldfastClient(new HoldfastClientOptions { RespAddress = "127.0.0.1:1" });
        Should.Throw<NotSupportedException>(() => resp.Transactions).Message.ShouldContain("HttpAddress");
    }

    private IHoldfastClient Connect(Action<HoldfastClientOptions> change) => HoldfastClient.Connect(Options(change));

    private HoldfastClientOptions Options(Action<HoldfastClientOptions> change)
    {
        var options = new HoldfastClientOptions { HttpAddress = _server.Http.BaseAddress, SigningSecret = Secret };
        change(options);
        return options;
    }

    private sealed record Deduct(string User, long Points);

    /// <summary>Loses the answer to the first request whose path ends so: the server carried it out.</summary>
    private sealed class Losing(string end) : DelegatingHandler(new SocketsHttpHandler())
    {
        private int _lost;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            HttpResponseMessage response = await base.SendAsync(request, cancellationToken);
            if (request.RequestUri!.AbsolutePath.EndsWith(end, StringComparison.Ordinal) && Interlocked.Exchange(ref _lost, 1) == 0)
            {
                response.Dispose();
                throw new IOException("the connection was cut");
            }

            return response;
        }
    }

    /// <summary>Counts the waits of exactly one second, and lets them pass at once.</summary>
    private sealed class SecondsPassAtOnce : TimeProvider
    {
        private int _seconds;

        public int Seconds => Volatile.Read(ref _seconds);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            bool second = dueTime == TimeSpan.FromSeconds(1);
            Interlocked.Add(ref _seconds, second ? 1 : 0);
            return base.CreateTimer(callback, state, second ? TimeSpan.Zero : dueTime, period);
        }
    }

    private sealed class ShopContract(string url) : ParticipantContract(url)
    {
        public ParticipantCall Deduct(string user, long points) => Reserve("points", new Deduct(user, points));

        public ParticipantCall Ship(string order) => Step("/parcels/", order);

        public ParticipantCall Tell(string order) => Delivery("mails", order);
    }
}
