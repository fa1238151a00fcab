using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Holdfast.Engine;

namespace Holdfast.Server.Resp;

/// <summary>
/// The commands that clients of Redis send by themselves, and ours for the session (SPACE). What has no meaning here is
/// answered as a server without that feature would, so that tools work.
/// </summary>
internal sealed class RespSessionCommands(SpaceOf spaces, ApiKeys keys, long connectionId)
{
    private static readonly byte[] Ok = "+OK\r\n"u8.ToArray();
    private static readonly byte[] Pong = "+PONG\r\n"u8.ToArray();
    private static readonly byte[] EmptyArray = "*0\r\n"u8.ToArray();
    private static readonly byte[] Null = "$-1\r\n"u8.ToArray();

    private const string NoKey = "NOAUTH Authentication required. Send AUTH with an API key.";

    private readonly ArrayBufferWriter<byte> _buffer = new(256);
    private Roles _roles = keys.Required ? Roles.None : Roles.All;

    private string _spaceName = SpaceHost.DefaultName;

    /// <summary>The space of this connection: the one that SPACE named last, also when that was refused, so that no command goes to
    /// another one than was meant. Null while there is none that answers.</summary>
    public Space? Space { get; private set; }

    /// <summary>What a command for the space is answered while <see cref="Space"/> is null.</summary>
    public string NoSpace { get; private set; } = "";

    /// <summary>Whether it has yet to show a key.</summary>
    public bool IsStranger => _roles == Roles.None;

    /// <summary>RESP version of this connection.</summary>
    public int Protocol { get; private set; } = 2;

    /// <summary>Set by QUIT: the connection closes after its reply.</summary>
    public bool Quit { get; private set; }

    /// <summary>Whether this connection may use a role; if not, the slot gets the error.</summary>
    public bool Allows(Roles role, RespSlot slot)
    {
        if ((_roles & role) == role)
        {
            return true;
        }

        slot.Error(IsStranger
            ? NoKey
            : $"NOPERM this key lacks the role {role.ToString().ToLowerInvariant()}");
        return false;
    }

    /// <summary>Looks again for the space, if it wasn't there when last looked for.</summary>
    public void FindSpace()
    {
        if (Space is null)
        {
            Space = spaces.Find(_spaceName, out Problem problem, out string detail);
            NoSpace = Space is null ? $"{problem.Code.ToUpperInvariant()} {detail}" : "";
        }
    }

    /// <summary>Answers a session command; false when it isn't one.</summary>
    public bool TryAnswer(RespSlot slot, RespArguments arguments)
    {
        ReadOnlySpan<byte> name = arguments[0];
        Span<byte> upper = stackalloc byte[16];
        if (name.Length > upper.Length || Ascii.ToUpper(name, upper, out int length) != OperationStatus.Done)
        {
            return false;
        }

        switch (Encoding.ASCII.GetString(upper[..length]))
        {
            case "PING":
                slot.Ready(arguments.Count > 1 ? Bulk(arguments[1]) : Pong);
                return true;
            case "ECHO" when arguments.Count == 2:
                slot.Ready(Bulk(arguments[1]));
                return true;
            case "AUTH":
                Auth(slot, arguments, 1);
                return true;
            case "HELLO":
                Hello(slot, arguments);
                return true;
            case "SPACE":
                UseSpace(slot, arguments);
                return true;
            case "SELECT":
                Select(slot, arguments);
                return true;
            case "CLIENT":
                Client(slot, arguments);
                return true;
            case "COMMAND":
                slot.Ready(arguments.Count > 1 && RespArguments.Is(arguments[1], "COUNT"u8) ? ":0\r\n"u8.ToArray() : EmptyArray);
                return true;
            case "CONFIG":
                Config(slot, arguments);
                return true;
            case "INFO":
                if (Allows(Roles.Read, slot)) // it tells what /metrics tells
                {
                    slot.Ready(Bulk(Encoding.UTF8.GetBytes(Info())));
                }

                return true;
            case "QUIT":
                Quit = true;
                slot.Ready(Ok);
                return true;
            default:
                return false;
        }
    }

    private void Auth(RespSlot slot, RespArguments arguments, int first)
    {
        // AUTH key, or AUTH user key: the user's name is not looked at, the key says whose it is.
        int words = arguments.Count - first;
        if (!keys.Required)
        {
            slot.Error("ERR AUTH called without any API key configured for this server. Nothing to do: go on.");
            return;
        }

        if (words is not (1 or 2))
        {
            slot.Error("ERR usage: AUTH [user] key");
            return;
        }

        if (keys.Find(arguments[first + words - 1]) is not { } key)
        {
            slot.Error("WRONGPASS this API key is not known");
            return;
        }

        _roles = key.Roles;
        slot.Ready(Ok);
    }

    private void Hello(RespSlot slot, RespArguments arguments)
    {
        int protocol = Protocol;
        if (arguments.Count > 1
            && (!Utf8Parser.TryParse(arguments[1], out protocol, out int used) || used != arguments[1].Length || protocol is not (2 or 3)))
        {
            slot.Error("NOPROTO this server speaks RESP2 and RESP3");
            return;
        }

        Roles roles = _roles;

        for (int i = 2; i < arguments.Count; i++)
        {
            if (RespArguments.Is(arguments[i], "AUTH"u8) && i + 2 < arguments.Count)
            {
                if (keys.Find(arguments[i + 2]) is not { } key)
                {
                    slot.Error("WRONGPASS this API key is not known");
                    return;
                }

                roles = key.Roles;
                i += 2;
            }
            else if (RespArguments.Is(arguments[i], "SETNAME"u8) && i + 1 < arguments.Count)
            {
                i++;
            }
            else
            {
                slot.Error("ERR usage: HELLO [2|3 [AUTH user key] [SETNAME name]]");
                return;
            }
        }

        _roles = roles;
        if (IsStranger)
        {
            slot.Error("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used");
            return;
        }

        Protocol = protocol;
        slot.Ready(Written(w =>
        {
            w.Map(5, Protocol);
            w.Bulk("server");
            w.Bulk("holdfast");
            w.Bulk("version");
            w.Bulk(Version);
            w.Bulk("proto");
            w.Integer(Protocol);
            w.Bulk("id");
            w.Integer(connectionId);
            w.Bulk("mode");
            w.Bulk("standalone");
        }));
    }

    private void UseSpace(RespSlot slot, RespArguments arguments)
    {
        if (arguments.Count != 2)
        {
            slot.Error("INVALID usage: SPACE name");
        }
        else if (IsStranger)
        {
            slot.Error(NoKey);
        }
        else
        {
            (_spaceName, Space) = (Encoding.UTF8.GetString(arguments[1]), null);
            FindSpace();
            if (Space is null)
            {
                slot.Error(NoSpace);
            }
            else
            {
                slot.Ready(Ok);
            }
        }
    }

    private static void Select(RespSlot slot, RespArguments arguments)
    {
        if (arguments.Count == 2 && arguments[1].SequenceEqual("0"u8))
        {
            slot.Ready(Ok);
        }
        else
        {
            slot.Error("ERR there is only database 0; SPACE name chooses a space");
        }
    }

    private void Client(RespSlot slot, RespArguments arguments)
    {
        if (arguments.Count > 1 && RespArguments.Is(arguments[1], "ID"u8))
        {
            slot.Ready(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $":{connectionId}\r\n")));
        }
        else if (arguments.Count > 1 && RespArguments.Is(arguments[1], "GETNAME"u8))
        {
            slot.Ready(Null);
        }
        else
        {
            slot.Ready(Ok);
        }
    }

    /// <summary>Tools ask for a few settings of Redis before they begin; here these tell the truth in Redis' words.</summary>
    private void Config(RespSlot slot, RespArguments arguments)
    {
        if (arguments.Count < 3 || !RespArguments.Is(arguments[1], "GET"u8))
        {
            slot.Error("ERR only CONFIG GET is known; settings are in holdfast.json");
            return;
        }

        string asked = Encoding.UTF8.GetString(arguments[2]).ToLowerInvariant();
        (string Name, string Value)[] known = [("save", ""), ("appendonly", "yes"), ("appendfsync", "always"), ("databases", "1")];
        (string Name, string Value)[] found = [.. known.Where(k => asked is "*" || k.Name == asked)];
        slot.Ready(Written(w =>
        {
            w.Map(found.Length, Protocol);
            foreach ((string name, string value) in found)
            {
                w.Bulk(name);
                w.Bulk(value);
            }
        }));
    }

    private string Info()
    {
        string server = string.Create(CultureInfo.InvariantCulture, $"# Server\r\nserver:holdfast\r\nholdfast_version:{Version}\r\nprocess_id:{Environment.ProcessId}\r\n\r\n# Space\r\nspace:{_spaceName}\r\n");
        return server + (Space is { } space
            ? string.Create(CultureInfo.InvariantCulture, $"status:{space.Status.ToString().ToLowerInvariant()}\r\nlive_holds:{space.Metrics.LiveHolds}\r\nresources:{space.Metrics.Resources}\r\nqueue_length:{space.QueueLength}\r\nbatches:{space.Metrics.Batches}\r\nevents:{space.Metrics.Events}\r\ndurable_sequence:{space.Durable.Sequence}\r\n")
            : "status:unavailable\r\n");
    }

    private static string Version { get; } = typeof(RespSessionCommands).Assembly.GetName().Version?.ToString(3) ?? "0";

    private byte[] Bulk(ReadOnlySpan<byte> bytes)
    {
        _buffer.ResetWrittenCount();
        new RespWriter(_buffer).Bulk(bytes);
        return _buffer.WrittenSpan.ToArray();
    }

    private byte[] Written(Action<RespWriter> write)
    {
        _buffer.ResetWrittenCount();
        write(new RespWriter(_buffer));
        return _buffer.WrittenSpan.ToArray();
    }
}
