using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Holdfast.Server.Tests.Transactions;

public sealed class TransactionCallTests : IAsyncLifetime
{
    private const string Secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    private RunningServer _server = null!;
    private ScriptedParticipant _points = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await RunningServer.StartAsync(RunningServer.Settings with { SigningSecrets = [Secret] });
        _points = await ScriptedParticipant.StartAsync();
        await _server.StockAsync("sku", 10);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _points.DisposeAsync();
    }

    [Fact]
    public async Task A_whole_transaction_is_tried_and_confirmed_and_waited_for()
    {
        (int status, JsonObject answer) = await SubmitAsync($$"""{"id":"t","branches":[{{_points.Branch("points")}},{"name":"stock","hold":{"owner":"ann","lines":[{"resource":"sku","quantity":2}]} }]}""");

        status.ShouldBe(201);
        State(answer).ShouldBe("confirmed: points=confirmed stock=confirmed");
        answer["decision"]!.GetValue<string>().ShouldBe("commit");
        answer["branches"]![1]!["hold"]!.GetValue<string>().ShouldBe("t:stock");
        _points.Paths.ShouldBe("/points/try /points/confirm");
        (await _server.GetAsync("/v1/resources/sku")).Json["consumed"]!.GetValue<long>().ShouldBe(2);
        (await _server.GetAsync("/v1/holds/t:stock")).Json["state"]!.GetValue<string>().ShouldBe("confirmed");
    }

    [Fact]
    public async Task The_participant_gets_the_body_as_given_the_headers_and_a_signature_that_holds()
    {
        const string body = """{"z":1,  "a":[1.50,"ü"]}""";
        await SubmitAsync($$"""{"id":"order/17","branches":[{"name":"b","try":{"url":"{{_points.Url}}/x","body":{{body}},"headers":{"X-Shop":"7"} } }]}""", trace: "00-11111111111111111111111111111111-2222222222222222-01");

        AskedCall asked = _points.Asked.ShouldHaveSingleItem();
        Encoding.UTF8.GetString(asked.Body).ShouldBe(body);
        asked.Headers["Holdfast-Transaction"].ShouldBe("order/17");
        asked.Headers["Holdfast-Branch"].ShouldBe("b");
        asked.Headers["Holdfast-Op"].ShouldBe("try");
        asked.Headers["Holdfast-Attempt"].ShouldBe("1");
        asked.Headers["X-Shop"].ShouldBe("7");
        asked.Headers["Holdfast-Watermark"].ShouldBe(asked.Headers["Holdfast-Begun"]);
        asked.Headers.ContainsKey("Holdfast-Space").ShouldBeFalse();
        asked.Headers["traceparent"].ShouldStartWith("00-11111111111111111111111111111111-");
        asked.Headers["traceparent"].ShouldNotContain("2222222222222222");

        byte[] signed = [.. Encoding.UTF8.GetBytes($"{asked.Headers["webhook-id"]}.{asked.Headers["webhook-timestamp"]}."), .. asked.Body];
        asked.Headers["webhook-signature"].ShouldBe("v1," + Convert.ToBase64String(HMACSHA256.HashData(Convert.FromBase64String(Secret[6..]), signed)));
        signed = Encoding.UTF8.GetBytes($"watermark\n{asked.Headers["webhook-id"]}.{asked.Headers["webhook-timestamp"]}.{asked.Headers["Holdfast-Watermark"]}");
        asked.Headers["Holdfast-Watermark-Signature"].ShouldBe("v1," + Convert.ToBase64String(HMACSHA256.HashData(Convert.FromBase64String(Secret[6..]), signed)));
        long age = DateTimeOffset.UtcNow.ToUnixTimeSeconds() - long.Parse(asked.Headers["webhook-timestamp"], CultureInfo.InvariantCulture);
        age.ShouldBeInRange(-300, 300);
    }

    [Fact]
    public async Task E77_An200WithTheWordFailureInItsBody_IsStillDone_AndA409WithSuccessIsRefused()
    {
        _points.Answer = static _ => Task.FromResult((200, "FAILURE"));
        State((await SubmitAsync($$"""{"id":"a","branches":[{{_points.Branch("points")}}]}""")).Answer).ShouldBe("confirmed: points=confirmed");
        _points.Answer = static _ => Task.FromResult((409, "SUCCESS"));
        (_, JsonObject refused) = await SubmitAsync($$"""{"id":"b","branches":[{{_points.Branch("points")}}]}""");
        State(refused).ShouldBe("cancelled: points=cancelled");
        refused["reason"]!["code"]!.GetValue<string>().ShouldBe("refused");
        refused["reason"]!["message"]!.GetValue<string>().ShouldContain("409 SUCCESS");
    }

    [Theory]
    [InlineData(500)]
    [InlineData(404)]
    [InlineData(302)]
    [InlineData(425)]
    public async Task Every_other_status_is_asked_again(int status)
    {
        int calls = 0;
        _points.Answer = _ => Task.FromResult((Interlocked.Increment(ref calls) <= 2 ? status : 200, ""));
        State((await SubmitAsync($$"""{"id":"t","branches":[{{_points.Branch("points")}}]}""")).Answer).ShouldBe("confirmed: points=confirmed");
        _points.Paths.ShouldBe("/points/try /points/try /points/try /points/confirm");
        _points.Asked.Select(a => a.Headers["Holdfast-Attempt"]).ShouldBe(["1", "2", "3", "1"]);
    }

    [Fact]
    public async Task E66_E80_DeadlinePassesWhileATryIsRunning_ItIsCancelled()
    {
        var release = new TaskCompletionSource();
        _points.Answer = async asked =>
        {
            if (asked.Path.EndsWith("try", StringComparison.Ordinal))
            {
                await release.Task.WaitAsync(TimeSpan.FromSeconds(20));
            }

            return (200, "");
        };
        (_, JsonObject answer) = await SubmitAsync($$"""{"id":"t","timeoutSeconds":0.4,"branches":[{{_points.Branch("points")}}]}""");
        State(answer).ShouldBe("cancelled: points=cancelled");
        answer["reason"]!["code"]!.GetValue<string>().ShouldBe("expired");
        release.SetResult();
        _points.Paths.ShouldBe("/points/try /points/cancel");
        (await _server.PostAsync("/v1/transactions/t/commit", "{}")).Status.ShouldBe(409);
    }

    [Fact]
    public async Task E69_OneHostDown_TheOthersTransactionsDontWait()
    {
        for (int i = 0; i < 40; i++)
        {
            await _server.PostAsync("/v1/transactions", $$"""{"id":"down{{i}}","branches":[{"name":"b","try":{"url":"http://127.0.0.1:9/x"},"cancel":{"url":"http://127.0.0.1:9/y"} }]}""");
        }

        for (int i = 0; i < 20; i++)
        {
            State((await SubmitAsync($$"""{"id":"up{{i}}","branches":[{{_points.Branch("points")}}]}""")).Answer).ShouldBe("confirmed: points=confirmed");
        }

        JsonObject down = (await _server.GetAsync("/v1/transactions/down0")).Json;
        down["state"]!.GetValue<string>().ShouldBe("trying");
        down["branches"]![0]!["lastAnswer"]!.GetValue<string>().ShouldBe("no connection");
    }

    [Fact]
    public async Task E78_ParticipantSlowForMinutes_HasBoundedConnections_AndNothingElseStarves()
    {
        int atOnce = 0, most = 0;
        var release = new TaskCompletionSource();
        await using ScriptedParticipant slow = await ScriptedParticipant.StartAsync();
        slow.Answer = async _ =>
        {
            int now = Interlocked.Increment(ref atOnce);
            most = Math.Max(most, now);
            await release.Task.WaitAsync(TimeSpan.FromMinutes(1));
            Interlocked.Decrement(ref atOnce);
            return (200, "");
        };
        for (int i = 0; i < 300; i++)
        {
            await _server.PostAsync("/v1/transactions", $$"""{"id":"slow{{i}}","branches":[{"name":"s","try":{"url":"{{slow.Url}}/s/try","timeoutSeconds":300},"cancel":{"url":"{{slow.Url}}/s/cancel"} }]}""");
        }

        for (int i = 0; i < 20; i++)
        {
            State((await SubmitAsync($$"""{"id":"fast{{i}}","branches":[{{_points.Branch("points")}}]}""")).Answer).ShouldBe("confirmed: points=confirmed");
        }

        most.ShouldBeInRange(1, 64);
        release.SetResult();
    }

    [Fact]
    public async Task E78_A_call_that_waits_for_its_host_is_not_sent_once_its_transaction_is_decided()
    {
        var release = new TaskCompletionSource();
        await using ScriptedParticipant slow = await ScriptedParticipant.StartAsync();
        slow.Answer = async asked =>
        {
            await (asked.Path == "/s/try" ? release.Task : Task.CompletedTask);
            return (200, "");
        };
        for (int i = 0; i < 64; i++)
        {
            await _server.PostAsync("/v1/transactions", $$"""{"id":"slow{{i}}","branches":[{"name":"s","try":{"url":"{{slow.Url}}/s/try","timeoutSeconds":300} }]}""");
        }

        await _server.PostAsync("/v1/transactions", $$"""{"id":"last","branches":[{"name":"b","try":{"url":"{{slow.Url}}/last/try"} }]}""");
        await _server.PostAsync("/v1/transactions", $$"""{"id":"undone","branches":[{{slow.Branch("undone")}}]}""");
        await _server.PostAsync("/v1/transactions", $$"""{"id":"conf","branches":[{"name":"b","confirm":{"url":"{{slow.Url}}/conf/confirm"} }]}""");
        (await _server.PostAsync("/v1/transactions/last/abort")).State.ShouldBe("cancelled");
        (await _server.PostAsync("/v1/transactions/undone/abort")).State.ShouldBe("cancelling");
        (await _server.PostAsync("/v1/transactions/conf/force", """{"reason":"by hand","branch":"b"}""")).State.ShouldBe("confirmed");
        release.SetResult();

        State((await SubmitAsync($$"""{"id":"next","branches":[{{slow.Branch("next")}}]}""")).Answer).ShouldBe("confirmed: next=confirmed");
        using HttpRequestMessage get = Request(HttpMethod.Get, "/v1/transactions/undone", "");
        State(await JsonAsync(get)).ShouldBe("cancelled: undone=cancelled");
        slow.Asked.Select(a => a.Path).Where(p => p != "/s/try").Order(StringComparer.Ordinal).ShouldBe(["/next/confirm", "/next/try", "/undone/cancel"]);
    }

    [Fact]
    public async Task Null_counts_as_not_given()
    {
        (_, JsonObject answer) = await SubmitAsync($$"""{"id":"t","checkBack":null,"branches":[{{_points.Branch("a", ",\"after\":null")}},{{_points.Branch("b", ",\"after\":null")}}]}""");
        State(answer).ShouldBe("confirmed: a=confirmed b=confirmed");
        _points.Paths.ShouldStartWith("/a/try /b/try ");

        // A sequence: what comes after a refusal never runs.
        _points.Answer = static asked => Task.FromResult((asked.Path == "/c/try" ? 409 : 200, ""));
        await SubmitAsync($$"""{"id":"u","branches":[{{_points.Branch("c", ",\"after\":null")}},{{_points.Branch("d", ",\"after\":null")}}]}""");
        _points.Asked.ShouldNotContain(a => a.Path == "/d/try");
    }

    [Fact]
    public async Task Bodies_that_are_not_valid_Unicode_are_invalid()
    {
        await _server.PostAsync("/v1/transactions", """{"id":"begun","begin":true}""");
        string raw = $$"""{"id":"t","branches":[{"name":"b","try":{"url":"{{_points.Url}}/x","body":{"n":"JosÿX"} } }]}""";
        foreach (string body in new[] { raw, "{\"\u00ff\":1}", """{"\ud800":1}""", """{"id":"t","branches":[{"\ud800":1}]}""", """{"id":"t","branches":[{"name":"b","try":{"url":"http://x/","headers":{"\ud800":"1"}}}]}""" })
        {
            foreach (string path in new[] { "/v1/transactions", "/v1/transactions/begun/branches", "/v1/transactions/begun/commit", "/v1/transactions/begun/force", "/v1/checkouts" })
            {
                await RefusedAsync(path, body);
            }
        }

        // Escapes in what is passed on as given are the participant's business.
        await SubmitAsync($$"""{"id":"t","branches":[{"name":"b","try":{"url":"{{_points.Url}}/x","body":{"\ud800":"\ud800"} } }]}""");
        Encoding.UTF8.GetString(_points.Asked.ShouldHaveSingleItem().Body).ShouldBe("""{"\ud800":"\ud800"}""");

        async Task RefusedAsync(string path, string latin1)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(Encoding.Latin1.GetBytes(latin1)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } } };
            JsonObject answer = await JsonAsync(request);
            answer["code"]?.GetValue<string>().ShouldBe("invalid", $"{path} {latin1}: {answer}");
        }
    }

    [Theory]
    [InlineData("""{"id":"h","lines":[{"resource":"sku","quantity":1}],"x":"~"}""", false)]
    [InlineData("""{"id":"h~","lines":[{"resource":"sku","quantity":1}]}""", true)]
    [InlineData("""{"id":"h\ud800","lines":[{"resource":"sku","quantity":1}]}""", true)]
    [InlineData("""{"~":1}""", true)]
    [InlineData("""{"\ud800":1}""", true)]
    public async Task Holds_and_batches_answer_bytes_that_are_not_valid_Unicode(string body, bool invalid)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(body.Replace('~', '\u00ff'));
        using var hold = new HttpRequestMessage(HttpMethod.Post, "/v1/holds") { Content = new ByteArrayContent(bytes) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } } };
        JsonObject answer = await JsonAsync(hold);
        answer["code"]?.GetValue<string>().ShouldBe(invalid ? "invalid" : null, answer.ToString());
        byte[] line = [.. """{"op":"try","""u8, .. bytes.AsSpan(1)];
        using var batch = new HttpRequestMessage(HttpMethod.Post, "/v1/batch") { Content = new ByteArrayContent(line) { Headers = { ContentType = new MediaTypeHeaderValue("application/x-ndjson") } } };
        answer = await JsonAsync(batch);
        answer["code"]?.GetValue<string>().ShouldBe(invalid ? "invalid" : null, answer.ToString());
    }

    [Fact]
    public async Task A_body_may_have_as_much_as_a_transactions_branches_may()
    {
        // Written with escapes it is larger than what is kept of it.
        string body = new('x', 60_000);
        string branches = string.Join(',', Enumerable.Range(0, 16).Select(i => $$"""{"name":"b{{i}}","confirm":{"url":"{{_points.Url}}/x","body":"{{body}}"} }"""));
        string large = $$"""{"id":"large","branches":[{{branches}}]}{{new string(' ', 600_000)}}""";
        large.Length.ShouldBeInRange((1024 * 1024) + 1, 2 * 1024 * 1024);
        (await SubmitAsync(large)).Status.ShouldBe(201);
        (await _server.PostAsync("/v1/transactions", $$"""{"id":"more","branches":[{{branches}}]}{{new string(' ', 1_200_000)}}""")).ShouldBeProblem(413, "too_large");
    }

    [Fact]
    public async Task Too_old_speaks_of_the_transaction()
    {
        Reply reply = await _server.PostAsync("/v1/transactions", """{"id":"t","issuedAt":"2020-01-01T00:00:00Z","branches":[{"name":"stock","hold":{"lines":[{"resource":"sku","quantity":1}]}}]}""");
        reply.ShouldBeProblem(410, "too_old");
        reply.Json["detail"]!.GetValue<string>().ShouldNotContain("hold");
    }

    [Fact]
    public async Task E68_ConfirmThatFailsManyTimes_IsRepeatedUntilItIsDone()
    {
        int confirms = 0;
        _points.Answer = asked => Task.FromResult((asked.Path.EndsWith("confirm", StringComparison.Ordinal) && Interlocked.Increment(ref confirms) < 6 ? 503 : 200, ""));
        (_, JsonObject answer) = await SubmitAsync($$"""{"id":"t","branches":[{{_points.Branch("points")}}]}""");
        State(answer).ShouldBe("confirmed: points=confirmed");
        answer["branches"]![0]!["attempts"]!.GetValue<int>().ShouldBe(6);
    }

    [Fact]
    public async Task A_refused_confirm_is_stuck_explained_and_ended_by_an_operator()
    {
        _points.Answer = static asked => Task.FromResult((asked.Path.EndsWith("confirm", StringComparison.Ordinal) ? 409 : 200, "account closed"));
        (_, JsonObject answer) = await SubmitAsync($$"""{"id":"t","branches":[{{_points.Branch("points")}}]}""");
        State(answer).ShouldBe("stuck: points=stuck");
        string words = answer["explanation"]!.GetValue<string>();
        words.ShouldContain("/points/confirm");
        words.ShouldContain("409 account closed");
        words.ShouldContain("/v1/transactions/t/retry");
        (await _server.GetAsync("/v1/transactions?state=stuck")).Json["items"]!.AsArray().Count.ShouldBe(1);
        (await _server.GetAsync("/v1/transactions?state=confirming")).Json["items"]!.AsArray().ShouldBeEmpty();

        (await _server.GetAsync("/metrics")).Text.ShouldContain("holdfast_transactions_stuck{space=\"default\"} 1\n");
        (await _server.GetAsync("/metrics")).Text.ShouldContain("holdfast_calls_total{outcome=\"refused\"} 1\n");
        JsonObject dry = (await _server.PostAsync("/v1/transactions/t/force", """{"reason":"paid by hand","dryRun":true}""")).Json;
        dry["wouldDo"]!.AsArray().Count.ShouldBe(1);
        State(dry).ShouldBe("stuck: points=stuck");
        (await _server.PostAsync("/v1/transactions/t/force", "{}")).Code.ShouldBe("invalid");
        State((await _server.PostAsync("/v1/transactions/t/force", """{"reason":"paid by hand"}""")).Json).ShouldBe("confirmed: points=confirmed");
        (await _server.GetAsync("/metrics")).Text.ShouldContain("holdfast_transactions_stuck{space=\"default\"} 0\n");
    }

    [Fact]
    public async Task A_stuck_one_that_is_retried_goes_on()
    {
        bool open = false;
        _points.Answer = asked => Task.FromResult((asked.Path.EndsWith("confirm", StringComparison.Ordinal) && !open ? 409 : 200, ""));
        await SubmitAsync($$"""{"id":"t","branches":[{{_points.Branch("points")}}]}""");
        open = true;
        using var request = Request(HttpMethod.Post, "/v1/transactions/t/retry", "");
        State(await JsonAsync(request)).ShouldBe("confirmed: points=confirmed");
    }

    [Fact]
    public async Task E71_E72_Registration_decision_and_repeats_over_HTTP()
    {
        (await _server.PostAsync("/v1/transactions", """{"id":"t","begin":true}""")).Status.ShouldBe(201);
        (await _server.PostAsync("/v1/transactions", """{"id":"t","begin":true}""")).Status.ShouldBe(200);
        (await _server.PostAsync("/v1/transactions", """{"id":"t","begin":true,"timeoutSeconds":9}""")).Code.ShouldBe("conflict");
        (await _server.PostAsync("/v1/transactions/t/branches", _points.Branch("points"))).Status.ShouldBe(200);
        (await _server.PostAsync("/v1/transactions/t/branches", """{"name":"stock","hold":{"lines":[{"resource":"sku","quantity":11}]}}""")).Code.ShouldBe("insufficient");
        _points.Asked.ShouldBeEmpty("the caller tries");
        using (HttpRequestMessage commit = Request(HttpMethod.Post, "/v1/transactions/t/commit", ""))
        {
            State(await JsonAsync(commit)).ShouldBe("confirmed: points=confirmed");
        }

        (await _server.PostAsync("/v1/transactions/t/branches", _points.Branch("late"))).Code.ShouldBe("confirmed");
        (await _server.PostAsync("/v1/transactions/t/commit", "")).Status.ShouldBe(200);
        (await _server.PostAsync("/v1/transactions/t/abort", "")).Code.ShouldBe("confirmed");
        _points.Paths.ShouldBe("/points/confirm");
    }

    [Fact]
    public async Task E73_E74_A_message_is_settled_by_its_check_back()
    {
        int asked = 0;
        _points.Answer = call => Task.FromResult((call.Path == "/check" ? Interlocked.Increment(ref asked) < 2 ? 425 : 200 : 200, ""));
        string message = $$"""{"id":"m","begin":true,"timeoutSeconds":0.2,"checkBack":{"url":"{{_points.Url}}/check"},"branches":[{"name":"ship","confirm":{"url":"{{_points.Url}}/ship"} }]}""";
        (_, JsonObject answer) = await SubmitAsync(message);
        State(answer).ShouldBe("confirmed: ship=confirmed");
        _points.Paths.ShouldBe("/check /check /ship");
        _points.Asked.First().Headers["Holdfast-Op"].ShouldBe("check");

        _points.Answer = static call => Task.FromResult((call.Path == "/check" ? 409 : 200, ""));
        (_, answer) = await SubmitAsync(message.Replace("\"m\"", "\"n\"", StringComparison.Ordinal));
        State(answer).ShouldBe("cancelled: ship=cancelled");
    }

    [Fact]
    public async Task Another_space_has_its_own_transactions_and_says_so_to_the_participant()
    {
        (await _server.PutAsync("/v1/spaces/shop-2", "{}")).Status.ShouldBe(201);
        using HttpRequestMessage request = Request(HttpMethod.Post, "/v1/spaces/shop-2/transactions", $$"""{"id":"t","branches":[{{_points.Branch("points")}}]}""");
        State(await JsonAsync(request)).ShouldBe("confirmed: points=confirmed");
        _points.Asked.ShouldAllBe(a => a.Headers["Holdfast-Space"] == "shop-2");
        (await _server.GetAsync("/v1/transactions/t")).Code.ShouldBe("not_found");
    }

    [Theory]
    [InlineData("""{"branches":[]}""", "id is missing")]
    [InlineData("""{"id":"t"}""", "at least one branch")]
    [InlineData("""{"id":"t","branch":[]}""", "there is no 'branch'")]
    [InlineData("""{"id":"t","branches":[{"name":"a"}]}""", "neither a call")]
    [InlineData("""{"id":"t","branches":[{"name":"a","try":{"url":"/x"}}]}""", "absolute http")]
    [InlineData("""{"id":"t","branches":[{"name":"a","try":{"url":"http://x/","headers":{"Holdfast-Op":"x"}}}]}""", "set by the coordinator")]
    [InlineData("""{"id":"t","branches":[{"name":"a","after":["b"],"try":{"url":"http://x/"}}]}""", "which is not a branch")]
    [InlineData("""{"id":"t","timeoutSeconds":-1,"branches":[]}""", "timeoutSeconds")]
    [InlineData("""{"id":"t","checkBack":{"url":"http://x/"},"branches":[{"name":"a","confirm":{"url":"http://x/"}}]}""", "checkBack needs begin")]
    [InlineData("""{"id":"t","id":"u","branches":[]}""", "given twice")]
    [InlineData("""{"id":"t","branches":[{"name":"a","hold":{"lines":[{"resource":"sku","quantity":0}]}}]}""", "branch 'a': a quantity must be")]
    [InlineData("""{"id":"t","branches":[{"name":"a","hold":{"lines":[]}}]}""", "branch 'a': a hold needs at least one line")]
    [InlineData("""{"id":"..","begin":true}""", "no path can name")]
    [InlineData("[]", "JSON object")]
    [InlineData("{", "not valid JSON")]
    public async Task A_body_that_means_nothing_is_invalid_and_says_why(string body, string says)
    {
        var answer = await _server.PostAsync("/v1/transactions", body);
        (answer.Status, answer.Code).ShouldBe((400, "invalid"));
        answer.Json["detail"]!.GetValue<string>().ShouldContain(says);
    }

    [Fact]
    public async Task Events_tell_a_transactions_life()
    {
        await SubmitAsync($$"""{"id":"t","branches":[{{_points.Branch("points")}}]}""");
        using var stream = await _server.Http.GetStreamAsync("/v1/events?after=0");
        using var reader = new StreamReader(stream);
        var kinds = new List<string>();
        while (kinds.Count == 0 || kinds[^1] != "transaction_ended")
        {
            string line = (await reader.ReadLineAsync())!;
            if (line.StartsWith("event: ", StringComparison.Ordinal))
            {
                kinds.Add(line[7..]);
            }
        }

        kinds.Where(k => k is not ("resource_put" or "supply_adjusted")).ShouldBe(["transaction_begun", "call_answered", "transaction_decided", "call_answered", "transaction_ended"]);
    }

    private async Task<(int Status, JsonObject Answer)> SubmitAsync(string body, string? trace = null)
    {
        using HttpRequestMessage request = Request(HttpMethod.Post, "/v1/transactions", body);
        if (trace is not null)
        {
            request.Headers.Add("traceparent", trace);
        }

        using HttpResponseMessage response = await _server.Http.SendAsync(request);
        return ((int)response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject());
    }

    private async Task<JsonObject> JsonAsync(HttpRequestMessage request)
    {
        using HttpResponseMessage response = await _server.Http.SendAsync(request);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject();
    }

    private static HttpRequestMessage Request(HttpMethod method, string path, string body)
    {
        var request = new HttpRequestMessage(method, path) { Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json")) };
        request.Headers.Add("Prefer", "wait=25");
        return request;
    }

    private static string State(JsonObject transaction) =>
        transaction["state"] + ": " + string.Join(' ', transaction["branches"]!.AsArray().Select(b => b!["name"] + "=" + b["state"]));
}
