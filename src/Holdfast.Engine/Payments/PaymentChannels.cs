using System.Text.Json.Nodes;
using Holdfast.Engine.Payments.Alipay;
using Holdfast.Engine.Payments.Simulator;
using Holdfast.Engine.Payments.StandardWebhooks;
using Holdfast.Engine.Payments.Stripe;
using Holdfast.Engine.Payments.WeChatPay;

namespace Holdfast.Engine.Payments;

/// <summary>
/// The channels in use, by name. <see cref="Replace"/> puts others in their place while callbacks and calls go on: keys
/// are rotated so, without a restart.
/// </summary>
public sealed class PaymentChannels(HttpMessageInvoker http, TimeProvider time, Func<ulong> random)
{
    private volatile IReadOnlyDictionary<string, IPaymentChannel> _byName = new Dictionary<string, IPaymentChannel>(StringComparer.Ordinal);

    /// <summary>Kinds of channel.</summary>
    public static IReadOnlyList<string> Kinds { get; } = ["stripe", "wechatpay", "alipay", "standard-webhooks", "simulator"];

    /// <summary>All channels.</summary>
    public IEnumerable<IPaymentChannel> All => _byName.Values;

    /// <summary>A channel, or null.</summary>
    public IPaymentChannel? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Uses these channels from now on: an object by name, each with its settings and, where its name isn't its kind, a <c>type</c>.</summary>
    /// <exception cref="ChannelConfigException">One is not usable; nothing was replaced.</exception>
    public void Replace(JsonObject configs)
    {
        ArgumentNullException.ThrowIfNull(configs);
        var channels = new Dictionary<string, IPaymentChannel>(StringComparer.Ordinal);
        foreach ((string name, JsonNode? config) in configs)
        {
            channels.Add(name, Create(name, config));
        }

        _byName = channels;
    }

    /// <summary>Makes one channel from its settings.</summary>
    /// <exception cref="ChannelConfigException">They are not usable; the message names the setting.</exception>
    public IPaymentChannel Create(string name, JsonNode? config)
    {
        if (config is not JsonObject json)
        {
            throw new ChannelConfigException($"channel '{name}': its settings must be an object.");
        }

        var settings = new ChannelConfig(name, json);
        string kind = settings.Text("type") ?? name;
        return kind switch
        {
            "stripe" => new StripeChannel(settings, http),
            "wechatpay" => new WeChatPayChannel(settings, http, time, random),
            "alipay" => new AlipayChannel(settings, http, time),
            "standard-webhooks" => new StandardWebhooksChannel(settings),
            "simulator" => new SimulatorChannel(settings, http),
            _ => throw new ChannelConfigException($"channel '{name}': there is no kind '{kind}'; known: {string.Join(", ", Kinds)}. Another name needs a \"type\"."),
        };
    }
}
