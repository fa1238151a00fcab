using System.Text.Json.Nodes;
using FlashSaleShop.Shop;
using Holdfast.Cli.Demo;
using Holdfast.Participant;
using Npgsql;

namespace FlashSaleShop.Tests.EdgeCases;

/// <summary>
/// E65 to E80 against real processes and a real PostgreSQL: coordinators and participants run by themselves, the test is the
/// network between them. (E70, the coordinator killed ten times among ten thousand transactions, is in ShopTests.)
/// </summary>
public sealed class TransactionEdgeCases(ShopProcesses shop) : IClassFixture<ShopProcesses>
{
    private const string Soon = "1.5";
    private const string InTime = "60";

    [Fact]
    public async Task E65_TryAfterCancel_IsRefused_AndTheBalanceUnchanged()
    {
        string user = shop.NewUser();
        var released = new TaskCompletionSource();
        var late = new TaskCompletionSource<int>();
        shop.Network.Rule("e65", async call =>
        {
            if (call.Op == "try")
            {
                await released.Task;
                late.TrySetResult(await call.PassAsync());
            }

            return await call.PassAsync();
        });
        await shop.SubmitAsync("e65", Soon, shop.Points("points", user));
        (await shop.EndAsync("e65")).ShouldBe("cancelled");

        released.SetResult();
        (await late.Task).ShouldBe(409, "suspended: the cancel was there first");
        (await shop.BalanceAsync(user)).ShouldBe((ShopProcesses.PointsAtFirst, 0, 0, 0));
    }

    [Fact]
    public async Task E66_CancelWhileTheTryIsStillRunning_OneOutcome_BalanceRight()
    {
        string user = shop.NewUser();
        await using var blocker = new NpgsqlConnection(shop.PointsDatabase);
        await blocker.OpenAsync();
        await using NpgsqlTransaction row = await blocker.BeginTransactionAsync();
        await using (var command = new NpgsqlCommand("select 1 from points where id = @id for update", blocker, row))
        {
            command.Parameters.AddWithValue("id", user);
            await command.ExecuteNonQueryAsync();
        }

        // The try waits for the row inside its local transaction; the deadline passes, and the cancel meets it there.
        await shop.SubmitAsync("e66", Soon, shop.Points("points", user));
        await UntilAsync(() => Task.FromResult(shop.Network.Of("e66").Contains("points/cancel")));
        await row.RollbackAsync();

        (await shop.EndAsync("e66")).ShouldBe("cancelled");
        (await shop.BalanceAsync(user)).ShouldBe((ShopProcesses.PointsAtFirst, 0, 0, 0));
    }

    [Fact]
    public async Task E67_TryDoneItsAnswerLost_TheRepeatStillSucceedsThoughTheStockFell()
    {
        string user = shop.NewUser();
        int tries = 0;
        shop.Network.Rule("e67", async call =>
        {
            if (call.Op == "try" && Interlocked.Increment(ref tries) == 1)
            {
                (await call.PassAsync()).ShouldBe(200);
                await SqlAsync("update points set available = 0 where id = @id", user);
                return 0;
            }

            return await call.PassAsync();
        });
        await shop.SubmitAsync("e67", InTime, shop.Points("points", user));

        (await shop.EndAsync("e67")).ShouldBe("confirmed");
        tries.ShouldBeGreaterThanOrEqualTo(2);
        (await shop.BalanceAsync(user)).ShouldBe((0, 0, 10, 0));
    }

    [Fact]
    public async Task E68_ConfirmFailsManyTimesThenSucceeds_ConsumedOnce_OthersNotHeldUp()
    {
        string user = shop.NewUser();
        int confirms = 0;
        string? orderMeanwhile = null;
        shop.Network.Rule("e68", async call =>
        {
            if (call is { Branch: "points", Op: "confirm" })
            {
                switch (Interlocked.Increment(ref confirms))
                {
                    case 1:
                        await call.PassAsync();
                        return 500; // done, and told otherwise
                    case < 5:
                        return 503;
                    default:
                        orderMeanwhile ??= await shop.OrderStateAsync("e68");
                        break;
                }
            }

            return await call.PassAsync();
        });
        await shop.SubmitAsync("e68", InTime, shop.Points("points", user), shop.Order("order", user));

        (await shop.EndAsync("e68")).ShouldBe("confirmed");
        confirms.ShouldBe(5);
        orderMeanwhile.ShouldBe("placed", "the other branch was confirmed while this one failed");
        (await shop.BalanceAsync(user)).ShouldBe((ShopProcesses.PointsAtFirst - 10, 0, 10, 0));
    }

    [Fact]
    public async Task E69_OneHostDown_TheOthersTransactionsDontWait()
    {
        string user = shop.NewUser();
        int nobody = FreePort.Next();
        string down = $$$"""{"name":"down","try":{"url":"http://127.0.0.1:{{{nobody}}}/try"},"cancel":{"url":"http://127.0.0.1:{{{nobody}}}/cancel"}}""";
        for (int i = 0; i < 50; i++)
        {
            await shop.SubmitAsync("e69-down-" + i, InTime, down);
        }

        await shop.SubmitAsync("e69-up", InTime, shop.Points("points", user));
        (await shop.EndAsync("e69-up")).ShouldBe("confirmed");
        ((string)(await shop.SendAsync("/e69-down-0")).Body["state"]!).ShouldBe("trying", "still asked, in vain");
    }

    [Fact]
    public async Task E71_BranchRegisteredAfterTheDecision_IsRefused()
    {
        string user = shop.NewUser();
        (await shop.SendAsync("", """{"id":"e71","begin":true,"branches":[]}""")).Status.ShouldBe(201);
        (await shop.SendAsync("/e71/commit", "")).Status.ShouldBe(200);

        (int status, JsonObject body) = await shop.SendAsync("/e71/branches", shop.Points("late", user));

        status.ShouldBe(409);
        ((string)body["code"]!).ShouldBe("confirmed");
        shop.Network.Of("e71").ShouldBeEmpty();
    }

    [Fact]
    public async Task E72_DoubleSubmitOfOneId_IsOneTransaction_AnotherBodyIsAConflict()
    {
        string user = shop.NewUser();
        string body = ShopProcesses.Body("e72", InTime, shop.Points("points", user));
        (int Status, JsonObject Body)[] answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => shop.SendAsync("", body, "wait=30")));
        answers.Count(a => a.Status == 201).ShouldBe(1);
        answers.ShouldAllBe(a => a.Status == 201 || a.Status == 200);

        (int status, JsonObject other) = await shop.SendAsync("", ShopProcesses.Body("e72", InTime, shop.Points("points", user, points: 11)));
        status.ShouldBe(409);
        ((string)other["code"]!).ShouldBe("conflict");
        (await shop.BalanceAsync(user)).ShouldBe((ShopProcesses.PointsAtFirst - 10, 0, 10, 0));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task E73_MessageWhoseSubmitIsLost_IsSettledByItsCheckBack(bool committed)
    {
        string user = shop.NewUser();
        string id = "e73-" + committed;
        (await shop.SendAsync("", shop.Message(id, user, Soon))).Status.ShouldBe(201);
        BranchResult local = await LocalAsync(id, user, commits: committed);
        local.Outcome.ShouldBe(committed ? BranchOutcome.Done : BranchOutcome.Refused);

        (await shop.EndAsync(id)).ShouldBe(committed ? "confirmed" : "cancelled");
        (await shop.BalanceAsync(user)).Given.ShouldBe(committed ? 1 : 0);
        (await shop.OrderStateAsync(id)).ShouldBe(committed ? "placed" : null);
    }

    [Fact]
    public async Task E74_CheckBackBeforeTheLocalCommit_TheLateLocalCommitIsRefused()
    {
        string user = shop.NewUser();
        (await shop.SendAsync("", shop.Message("e74", user, Soon))).Status.ShouldBe(201);
        (await shop.EndAsync("e74")).ShouldBe("cancelled");

        BranchResult late = await LocalAsync("e74", user, commits: true);

        late.Outcome.ShouldBe(BranchOutcome.Refused);
        (await shop.OrderStateAsync("e74")).ShouldBeNull();
        (await shop.BalanceAsync(user)).Given.ShouldBe(0);
    }

    [Fact]
    public async Task E75_SagaStepRefused_OnlyTheFinishedOnesAreUndone_InReverse_OneThatMayHaveRunToo()
    {
        string a = shop.NewUser(), b = shop.NewUser(), c = shop.NewUser();
        await shop.SubmitAsync(
            "e75",
            InTime,
            shop.Step("one", a),
            shop.Step("two", b, extra: ",\"after\":[\"one\"]"),
            shop.Step("three", c, points: ShopProcesses.PointsAtFirst + 1, extra: ",\"after\":[\"two\"]"),
            shop.Step("four", a, extra: ",\"after\":[\"three\"]"));
        (await shop.EndAsync("e75")).ShouldBe("cancelled");
        string[] calls = shop.Network.Of("e75");
        calls.ShouldBe(["one/try", "two/try", "three/try", "two/cancel", "one/cancel"]);

        // The second one's answer is lost for good: it may have run, so it is undone.
        shop.Network.Rule("e75-lost", async call => call is { Branch: "two", Op: "try" } && await call.PassAsync() == 200 ? 0 : await call.PassAsync());
        await shop.SubmitAsync("e75-lost", Soon, shop.Step("one", a), shop.Step("two", b, extra: ",\"after\":[\"one\"]"));
        (await shop.EndAsync("e75-lost")).ShouldBe("cancelled");
        shop.Network.Of("e75-lost").Where(o => o.EndsWith("cancel", StringComparison.Ordinal)).Distinct().ShouldBe(["two/cancel", "one/cancel"]);
        foreach (string user in new[] { a, b, c })
        {
            (await shop.BalanceAsync(user)).ShouldBe((ShopProcesses.PointsAtFirst, 0, 0, 0));
        }
    }

    [Fact]
    public async Task E76_BranchWhosePredecessorFailed_NeverRuns()
    {
        string user = shop.NewUser();
        await shop.SubmitAsync(
            "e76",
            InTime,
            shop.Step("fails", user, points: ShopProcesses.PointsAtFirst + 1, extra: ",\"after\":[]"),
            shop.Step("beside", user, extra: ",\"after\":[]"),
            shop.Step("behind", user, extra: ",\"after\":[\"fails\"]"));

        (await shop.EndAsync("e76")).ShouldBe("cancelled");
        shop.Network.Of("e76").ShouldNotContain(o => o.StartsWith("behind", StringComparison.Ordinal));
        (await shop.BalanceAsync(user)).ShouldBe((ShopProcesses.PointsAtFirst, 0, 0, 0));
    }

    [Fact]
    public async Task E77_An200WithTheWordFailureInItsBody_IsStillDone()
    {
        string user = shop.NewUser();
        shop.Network.Rule("e77", async call =>
        {
            int status = await call.PassAsync();
            call.Text = "FAILURE";
            return status;
        });
        await shop.SubmitAsync("e77", InTime, shop.Points("points", user));

        (await shop.EndAsync("e77")).ShouldBe("confirmed");
        (await shop.BalanceAsync(user)).ShouldBe((ShopProcesses.PointsAtFirst - 10, 0, 10, 0));
    }

    [Fact]
    public async Task E78_ParticipantSlowForMinutes_HasBoundedConnections_AndNothingElseStarves()
    {
        string user = shop.NewUser();
        await using Network slow = await Network.StartAsync();
        var minutes = new TaskCompletionSource();

        // No call is given up on the way: one that its caller has left would still be counted here.
        const string Patient = "300";
        string stalls = shop.Branch("slow", 1, "x", "{}", "").Replace(shop.Network.Url, slow.Url, StringComparison.Ordinal)
            .Replace("\"body\":", $"\"timeoutSeconds\":{Patient},\"body\":", StringComparison.Ordinal);
        for (int i = 0; i < 300; i++)
        {
            slow.Rule("e78-slow-" + i, async _ =>
            {
                await minutes.Task;
                return 200;
            });
            await shop.SubmitAsync("e78-slow-" + i, Patient, stalls);
        }

        await shop.SubmitAsync("e78", InTime, shop.Points("points", user));
        (await shop.EndAsync("e78")).ShouldBe("confirmed");
        slow.Most.ShouldBeInRange(1, 64, "one host has a bound of its own");
        minutes.SetResult();
        (await shop.EndAsync("e78-slow-299")).ShouldBe("confirmed");
    }

    [Fact]
    public async Task E79_TwoCoordinatorsRetriesHitOneBranchAtOnce_TheBarrierLetsOneThrough()
    {
        string user = shop.NewUser();
        string body = ShopProcesses.Body("e79", InTime, shop.Points("points", user));

        // As after a failover: both carry the same transaction; and each call comes three times at once.
        shop.Network.Rule("e79", async call =>
        {
            int[] statuses = await Task.WhenAll(call.PassAsync(), call.PassAsync(), call.PassAsync());
            statuses.ShouldAllBe(s => s == 200 || s == 425);
            return statuses.Max();
        });
        await Task.WhenAll(shop.SendAsync("", body), shop.SendAsync("", body, coordinator: shop.SecondCoordinator));

        (await shop.EndAsync("e79")).ShouldBe("confirmed");
        (await shop.EndAsync("e79", shop.SecondCoordinator)).ShouldBe("confirmed");
        (await shop.BalanceAsync(user)).ShouldBe((ShopProcesses.PointsAtFirst - 10, 0, 10, 0));
    }

    [Fact]
    public async Task E80_DeadlinePassesWhileATryIsInFlight_Cancelled_AndItsEffectUndone()
    {
        string user = shop.NewUser();
        var effect = new TaskCompletionSource<long>();
        var answered = new TaskCompletionSource();
        shop.Network.Rule("e80", async call =>
        {
            int status = await call.PassAsync();
            if (call.Op == "try" && effect.TrySetResult((await shop.BalanceAsync(user)).Frozen))
            {
                await answered.Task; // the effect is there, and its answer is on its way when the deadline passes
            }

            return status;
        });
        await shop.SubmitAsync("e80", Soon, shop.Points("points", user));
        (await effect.Task).ShouldBe(10);

        (await shop.EndAsync("e80")).ShouldBe("cancelled");
        answered.SetResult();
        (await shop.BalanceAsync(user)).ShouldBe((ShopProcesses.PointsAtFirst, 0, 0, 0));
    }

    /// <summary>The sender's local work of a message, in the orders service's own database.</summary>
    private async Task<BranchResult> LocalAsync(string id, string user, bool commits)
    {
        await using var connection = new NpgsqlConnection(shop.OrdersDatabase);
        return await new BranchBarrier().LocalAsync(connection, id, async (transaction, cancellationToken) =>
        {
            await using var command = new NpgsqlCommand("insert into orders values (@id, @user, 'placed')", connection, (NpgsqlTransaction)transaction);
            command.Parameters.AddWithValue("id", id);
            command.Parameters.AddWithValue("user", user);
            await command.ExecuteNonQueryAsync(cancellationToken);
            return commits ? BranchResult.Done : BranchResult.Refused("the local work failed, and is rolled back");
        });
    }

    private async Task SqlAsync(string text, string user)
    {
        await using var connection = new NpgsqlConnection(shop.PointsDatabase);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(text, connection);
        command.Parameters.AddWithValue("id", user);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task UntilAsync(Func<Task<bool>> holds)
    {
        for (int i = 0; i < 400 && !await holds(); i++)
        {
            await Task.Delay(50);
        }

        (await holds()).ShouldBeTrue();
    }
}
