using System.CommandLine;
using System.CommandLine.Help;
using Holdfast.Cli;
using Holdfast.Cli.Attack;
using Holdfast.Cli.Bench;
using Holdfast.Cli.Channel;
using Holdfast.Cli.Demo;
using Holdfast.Cli.Serve;
using Holdfast.Cli.Simulator;
using Holdfast.Cli.Verify;

var root = new RootCommand("Holdfast holds scarce things (stock, coupons, points, money) without ever overselling. Without a command it serves.")
{
    ServeCommand.Create(),
    DemoCommand.Create(),
    BenchCommand.Create(),
    VerifyCommand.Create(),
    AttackCommand.Create(),
    ChannelCommand.Create(),
    SimulatorCommand.Create(),
};

// An argument that begins with @ is the command's own (attack --body @FILE), not a file of further arguments.
ParseResult parsed = root.Parse(args is [] ? ["serve"] : args, new ParserConfiguration { ResponseFileTokenReplacer = null });
if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction)
{
    foreach (string error in parsed.Errors.Select(e => e.Message).Distinct(StringComparer.Ordinal))
    {
        Print.Error(error);
    }

    Print.Note("holdfast --help tells what there is.");
    return ExitCode.BadArguments;
}

// Signals are each command's own matter: a server drains, and the parser's two seconds would cut that off.
return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
