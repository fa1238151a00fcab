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
    [InlineData("apiKeys", "0123456789abcdefgh")]
    [InlineData("signingSecrets", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")]
    [InlineData("channels", "simulator")]
    [InlineData("outlets", "shop")]
    public void A_text_where_a_list_or_an_object_belongs_is_refused_and_not_shown(string setting, string text)
    {
        SettingsException refused = Should.Throw<SettingsException>(() => Load((setting, text)));
        refused.Message.ShouldStartWith(setting + " is a text");
        refused.Message.ShouldNotContain("0123456789abcdefgh");
        refused.Message.ShouldNotContain("whsec_");
    }

    [Theory]
    [InlineData("HOLDFAST_APIKEY__0__KEY")]
    [InlineData("HOLDFAST_API_KEYS__0__KEY")]
    [InlineData("HOLDFAST_API__KEYS__0__KEY")]
    [InlineData("HOLDFAST__APIKEYS__0__KEY")]
    [InlineData("HOLDFAST_api-keys__0__key")]
    [InlineData("HOLDFAST_API_KEY")]
    public void A_misspelt_key_in_the_environment_does_not_leave_the_server_open(string variable)
    {
        Environment.SetEnvironmentVariable(variable, "0123456789abcdef");
        try
        {
            string message = Should.Throw<SettingsException>(() => Load()).Message;
            message.ShouldStartWith($"There is no setting {variable}.");
            message.ShouldContain("HOLDFAST_APIKEYS__0__KEY");
            message.ShouldNotContain("0123456789abcdef");
        }
        finally
        {
            Environment.SetEnvironmentVariable(variable, null);
        }
    }

    [Theory]
    [InlineData("otlp", "user:otlp-password@127.0.0.1:4317", "otlp-password")]
    public void An_address_that_may_hold_a_password_is_not_shown(string setting, string text, string secret) =>
        Should.Throw<SettingsException>(() => Load((setting, text))).Message.ShouldNotContain(secret);

    [Theory]
    [InlineData("faults", "duplicate=2")]
    [InlineData("seed", "x")]
    [InlineData("secrets:0", "short")]
    [InlineData("notifyUrl", "not a url")]
    [InlineData("notifyUrl", "ftp://shop.test/v1/callbacks/simulator")]
    [InlineData("type:kind", "simulator")]
    public void The_simulators_own_settings_are_checked_at_the_start(string name, string value) =>
        Should.Throw<SettingsException>(() => Load(("channels:simulator:" + name, value)));

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
    [InlineData("data", ":memory:", "data")]
    [InlineData("data", "file:/srv/holdfast", "data")]
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
