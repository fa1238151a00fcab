using System.CommandLine;
using Holdfast.Engine.Effects;
using Holdfast.Testing.Attacks;
using Spectre.Console;

namespace Holdfast.Cli.Attack;

/// <summary><c>holdfast attack</c>: tries to break a participant, and says what a shopper would suffer.</summary>
internal static class AttackCommand
{
    private const string Description = """
        Try to break a participant: repeats, overlaps, reorders and loses its calls as a bad network does, and compares its balance.
        It leaves confirmed transactions behind: attack a test system. The balance must be enough for 4 x --repeat + 11 tries of the
        body (91 tries as it is), else rules are skipped; and for fewer than 2,000, so that it can be used up.

        Example:
          holdfast attack --try http://localhost:5001/points/try --confirm http://localhost:5001/points/confirm \
            --cancel http://localhost:5001/points/cancel --body '{"user":"ann","points":10}' \
            --probe http://localhost:5001/balance/ann --secret whsec_...
        """;

    public static Command Create()
    {
        var attacked = new Option<string>("--try") { Description = "The participant's try.", HelpName = "URL", Required = true };
        var confirm = new Option<string?>("--confirm") { Description = "Its confirm; leave it out for a saga's step.", HelpName = "URL" };
        var cancel = new Option<string>("--cancel") { Description = "Its cancel.", HelpName = "URL", Required = true };
        var body = new Option<string?>("--body") { Description = "Body of each call, or @FILE. {n} in it (and in the URLs) becomes a number of the transaction's own.", HelpName = "JSON" };
        var probe = new Option<string?>("--probe") { Description = "GET answers a balance: a number, or JSON with one. Without it statuses alone are judged.", HelpName = "URL" };
        var field = new Option<string?>("--probe-field") { Description = "The balance's name in that JSON (balance, or the only number).", HelpName = "NAME" };
        var secret = new Option<string?>("--secret") { Description = "Signs the calls (whsec_...).", HelpName = "SECRET" };
        var header = new Option<string[]>("--header") { Description = "A header of every call: \"Name: value\". May be repeated.", HelpName = "HEADER" };
        var only = new Option<string?>("--only") { Description = "Only these rules, by id, separated by commas: " + string.Join(", ", Rules.All.Select(r => r.Id)) + ".", HelpName = "RULES" };
        var parallel = WholeNumber.Option("--parallel", "Calls at once.", 8, 1, 10_000);
        var repeat = WholeNumber.Option("--repeat", "Times that attacks on timing are repeated.", 20, 1, 1_000_000);
        var timeout = WholeNumber.Option("--timeout", "Seconds that an answer may take.", 10, 1, 86_400);
        var junit = new Option<string?>("--junit") { Description = "Writes JUnit XML there.", HelpName = "FILE" };
        var json = new Option<string?>("--json") { Description = "Writes JSON there.", HelpName = "FILE" };
        var command = new Command("attack", Description) { attacked, confirm, cancel, body, probe, field, secret, header, only, parallel, repeat, timeout, junit, json };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                string? text = parsed.GetValue(body);
                return await RunAsync(
                    new AttackOptions
                    {
                        Try = Address("--try", parsed.GetValue(attacked)!),
                        Confirm = parsed.GetValue(confirm) is { } url ? Address("--confirm", url) : null,
                        Cancel = Address("--cancel", parsed.GetValue(cancel)!),
                        Body = text is ['@', ..] ? await File.ReadAllTextAsync(text[1..], cancellationToken) : text,
                        Probe = parsed.GetValue(probe) is { } balance ? Address("--probe", balance) : null,
                        ProbeField = parsed.GetValue(field),
                        Secret = parsed.GetValue(secret) is { } key ? Secret(key) : null,
                        Headers = [.. (parsed.GetValue(header) ?? []).Select(Header)],
                        Only = parsed.GetValue(only)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [],
                        Parallel = parsed.GetValue(parallel),
                        Repeat = parsed.GetValue(repeat),
                        Timeout = TimeSpan.FromSeconds(parsed.GetValue(timeout)),
                    },
                    parsed.GetValue(junit),
                    parsed.GetValue(json),
                    cancellationToken);
            }
            catch (Exception e) when (e is AttackException or IOException or UnauthorizedAccessException)
            {
                Print.Error(e.Message);
                return ExitCode.BadArguments;
            }
        });
        return command;
    }

    private static async Task<int> RunAsync(AttackOptions options, string? junit, string? json, CancellationToken cancellationToken)
    {
        IReadOnlyList<Finding> findings = await AttackKit.RunAsync(options, f => Print.Note($"  {f.Verdict.ToString().ToLowerInvariant(),-8} {f.Rule.Id}"), cancellationToken);
        var table = new Table().Border(TableBorder.Simple).AddColumns("rule", "verdict", "seen");
        foreach (Finding finding in findings)
        {
            table.AddRow(Markup.Escape(finding.Rule.Id), finding.Verdict.ToString().ToLowerInvariant(), Markup.Escape(finding.Seen));
        }

        AnsiConsole.Write(table);
        foreach (Finding broken in findings.Where(f => f.Verdict == Verdict.Broken))
        {
            Print.Line($"{broken.Rule.Id}: {broken.Rule.Demands}");
            Print.Line($"  seen:      {broken.Seen}");
            Print.Line($"  a shopper: {broken.Rule.Shopper}");
            Print.Line($"  to do:     {broken.Rule.Remedy}");
        }

        if (options.Probe is null)
        {
            Print.Note("Without --probe only statuses were judged: what was taken or given back nobody looked at.");
        }

        if (junit is not null)
        {
            await File.WriteAllTextAsync(junit, AttackReports.JUnit(findings), cancellationToken);
        }

        if (json is not null)
        {
            await File.WriteAllTextAsync(json, AttackReports.Json(findings), cancellationToken);
        }

        int rules = findings.Count(f => f.Verdict == Verdict.Broken);
        int skipped = findings.Count(f => f.Verdict == Verdict.Skipped);
        Print.Line((rules == 0 ? "Every rule that was attacked is kept." : $"{rules} of {findings.Count} rules are broken.") + (skipped == 0 ? "" : $" {skipped} rules were skipped."));
        return rules == 0 ? ExitCode.Good : ExitCode.Bad;
    }

    private static Uri Address(string option, string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" ? uri : throw new AttackException($"{option} must be an http or https address, not '{text}'.");

    private static string Secret(string text)
    {
        try
        {
            SigningKey.Parse(text);
            return text;
        }
        catch (ArgumentException e)
        {
            throw new AttackException("--secret: " + e.Message, e);
        }
    }

    private static KeyValuePair<string, string> Header(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 ? KeyValuePair.Create(text[..colon].Trim(), text[(colon + 1)..].Trim()) : throw new AttackException($"--header must be \"Name: value\", not '{text}'.");
    }
}
