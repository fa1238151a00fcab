using System.Net;

namespace Holdfast.Server.Tests;

[Collection("environment")]
public sealed class ServerSettingsTests : IDisposable
{
    private readonly TestKit.TempFolder _folder = new();

    [Fact]
    public void Defaults_are_loopback_and_sqlite()
    {
        ServerSettings settings = Load();
        settings.Data.ShouldBe("./data");
        settings.Http.ShouldBe(new IPEndPoint(IPAddress.Loopback, 7070));
        settings.Resp.ShouldBe(new IPEndPoint(IPAddress.Loopback, 6380));
        settings.Journal.ShouldBe(JournalKind.Sqlite);
        settings.ApiKeys.ShouldBeEmpty();
    }

    [Fact]
    public void The_command_line_wins_over_the_environment_and_that_over_the_file()
    {
        File.WriteAllText(
            _folder.File("holdfast.json"),
            """{"data":"/from/file","http":"127.0.0.1:1","resp":"127.0.0.1:2","apiKeys":[{"name":"shop","key":"0123456789abcdef","roles":["read","write"]}]}""");
        Environment.SetEnvironmentVariable("HOLDFAST_HTTP", "127.0.0.1:11");
        Environment.SetEnvironmentVariable("HOLDFAST_RESP", "127.0.0.1:12");
        try
        {
            ServerSettings settings = Load(("resp", "off"), ("http", null));
            settings.Data.ShouldBe("/from/file");
            settings.Http.Port.ShouldBe(11);
            settings.Resp.ShouldBeNull();
            ApiKeySetting key = settings.ApiKeys.ShouldHaveSingleItem();
            key.Name.ShouldBe("shop");
            key.Roles.ShouldBe(Roles.Read | Roles.Write);
            key.ToString().ShouldNotContain("0123456789abcdef");
        }
        finally
        {
            Environment.SetEnvironmentVariable("HOLDFAST_HTTP", null);
            Environment.SetEnvironmentVariable("HOLDFAST_RESP", null);
        }
    }

    [Theory]
    [InlineData("http", "7070", "http")]
    [InlineData("http", "127.0.0.1:99999", "http")]
    [InlineData("http", "shop.example:80", "http")]
    [InlineData("resp", "nowhere", "resp")]
    [InlineData("journal", "mysql", "sqlite, postgres")]
    [InlineData("journal", "postgres", "connection")]
    [InlineData("maxConnections", "many", "maxConnections")]
    [InlineData("queueCapacity", "0", "queueCapacity")]
    [InlineData("retentionHours", "0", "retentionHours")]
    [InlineData("snapshotEveryEvents", "0", "snapshotEveryEvents")]
    [InlineData("checkoutRetentionHours", "100000", "checkoutRetentionHours")]
    [InlineData("otlp", "collector", "otlp")]
    [InlineData("data", " ", "data")]
    [InlineData("apiKeys:0:key", "short", "apiKeys[0]")]
    [InlineData("apiKeys:0:sha256", "abc", "sha256")]
    [InlineData("apiKeys:0:name", "no-key", "set key")]
    public void A_setting_that_can_not_be_used_is_named(string name, string value, string says) =>
        Should.Throw<SettingsException>(() => Load((name, value))).Message.ShouldContain(says);

    [Theory]
    [InlineData("{\"htpp\":\"127.0.0.1:1\"}", "htpp")]
    [InlineData("{", "holdfast.json")]
    [InlineData("{\"apiKeys\":[{\"key\":\"0123456789abcdef\",\"roles\":[\"king\"]}]}", "king")]
    [InlineData("{\"apiKeys\":[{\"key\":\"0123456789abcdef\"}]}", "roles")]
    public void A_file_that_can_not_be_used_is_named(string file, string says)
    {
        File.WriteAllText(_folder.File("holdfast.json"), file);
        Should.Throw<SettingsException>(() => Load()).Message.ShouldContain(says);
    }

    [Theory]
    [InlineData("http", "0.0.0.0:7070")]
    [InlineData("http", "*:7070")]
    [InlineData("resp", "[::]:6380")]
    [InlineData("resp", "192.0.2.1:6380")]
    public void Protected_mode_refuses_to_listen_to_others_without_keys_and_says_what_to_do(string name, string value)
    {
        SettingsException refusal = Should.Throw<SettingsException>(() => Load((name, value)));
        refusal.Message.ShouldContain("Protected mode");
        refusal.Message.ShouldContain(name);
        refusal.Message.ShouldContain("127.0.0.1");
        refusal.Message.ShouldContain("apiKeys");
        Should.Throw<SettingsException>(() => HoldfastServer.Create(new ServerSettings { Http = new IPEndPoint(IPAddress.Any, 0) }));
        Load((name, value), ("apiKeys:0:key", "0123456789abcdef"), ("apiKeys:0:roles", "read,write")).ApiKeys.Count.ShouldBe(1);
    }

    public void Dispose() => _folder.Dispose();

    private ServerSettings Load(params (string Name, string? Value)[] overrides) =>
        ServerSettings.Load(overrides.Select(o => new KeyValuePair<string, string?>(o.Name, o.Value)), _folder.Path);
}
