using Holdfast.Kernel;

namespace Holdfast.Engine.Payments.StandardWebhooks;

/// <summary>A provider of one's own that sends Standard Webhooks with <see cref="PaymentMessage"/> bodies. It is listened to, and never called.</summary>
internal sealed class StandardWebhooksChannel : IPaymentChannel
{
    private readonly PaymentMessageIntake _intake;

    public StandardWebhooksChannel(ChannelConfig config)
    {
        config.Known("secrets", "toleranceSeconds");
        Name = config.Channel;
        _intake = new PaymentMessageIntake(config);
    }

    public string Name { get; }

    public bool MakesCalls => false;

    public string? Problem(string checkout, long amount, string currency) => null;

    public CallbackVerdict Verify(CallbackRequest request, DateTimeOffset now) => _intake.Verify(request, now);

    public PaymentNotice? Reread(string space, string eventId, ReadOnlyMemory<byte> body) => _intake.Reread(eventId, body);

    public CallbackReply Reply(CallbackOutcome outcome) => PaymentMessageIntake.Reply(outcome);

    public Task<PaymentResult> CreateAsync(PaymentOrder order, CancellationToken cancellationToken) => throw NotCalled();

    public Task<PaymentResult> QueryAsync(PaymentOrder order, CancellationToken cancellationToken) => throw NotCalled();

    public Task<PaymentResult> CloseAsync(PaymentOrder order, CancellationToken cancellationToken) => throw NotCalled();

    public Task<PaymentResult> RefundAsync(RefundOrder refund, CancellationToken cancellationToken) => throw NotCalled();

    public Task<PaymentResult> QueryRefundAsync(RefundOrder refund, CancellationToken cancellationToken) => throw NotCalled();

    public Task<Stream> DownloadBillAsync(DateOnly day, CancellationToken cancellationToken) => throw NotCalled();

    private PaymentChannelException NotCalled() => new($"channel '{Name}' only listens: it has nobody to call");
}
