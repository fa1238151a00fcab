using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Holdfast.Engine.Effects;
using Holdfast.Engine.Payments.StandardWebhooks;
using Holdfast.Kernel;

namespace Holdfast.Server.Simulator;

/// <summary>
/// A payment provider of play money: orders, payments, refunds, bills, and callbacks that come as badly as the faults say.
/// What it was told and did is in a file, one JSON line each, so that it survives its process as a provider does.
/// </summary>
public sealed class SimulatedProvider : IAsyncDisposable
{
    private readonly Dictionary<(string Space, string Order), SimulatedOrder> _orders = [];
    private readonly Dictionary<string, SimulatedPayment> _payments = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SimulatedRefund> _refunds = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private readonly Random _random;
    private readonly TimeProvider _time;
    private readonly StreamWriter? _log;
    private readonly CallbackSender _sender;

    /// <summary>A provider; what the file holds is read back.</summary>
    public SimulatedProvider(SigningKey key, SimulatorFaults faults, int seed, TimeProvider time, string? file = null)
    {
        ArgumentNullException.ThrowIfNull(faults);
        Faults = faults;
        _random = new Random(seed);
        _time = time;
        _sender = new CallbackSender(key, time);
        if (file is null)
        {
            return;
        }

        if (File.Exists(file))
        {
            foreach (string line in File.ReadLines(file))
            {
                try
                {
                    Apply(JsonNode.Parse(line)!.AsObject());
                }
                catch (JsonException)
                {
                    break; // the last line of a process that was killed
                }
            }
        }

        _log = new StreamWriter(file, append: true, new UTF8Encoding(false)) { AutoFlush = true };
    }

    /// <summary>What goes wrong.</summary>
    public SimulatorFaults Faults { get; }

    /// <summary>Whom alone it may call back; null: whomever an order names. A provider inside a server that others can reach must not call for them what only that server can reach.</summary>
    public Uri? CallsOnly { get; init; }

    /// <summary>Whether an order may name this address.</summary>
    public bool MayCall(string? notifyUrl) =>
        CallsOnly is null || notifyUrl is null || (Uri.TryCreate(notifyUrl, UriKind.Absolute, out Uri? url) && url.GetLeftPart(UriPartial.Authority) == CallsOnly.GetLeftPart(UriPartial.Authority));

    /// <summary>What the provider knows itself: the truth that other books are held against.</summary>
    public SimulatorBooks Books
    {
        get
        {
            lock (_lock)
            {
                return new SimulatorBooks(
                    _orders.Count,
                    _payments.Count,
                    _payments.Values.Sum(p => p.Amount),
                    _refunds.Count,
                    _refunds.Values.Sum(r => r.Amount),
                    _sender.Sent,
                    _sender.Forged,
                    _sender.Refused,
                    _sender.DuplicatesTaken);
            }
        }
    }

    /// <summary>Opens an order; the same again is the same order.</summary>
    public SimulatedOrder Open(string space, string order, long amount, string currency, string? notifyUrl)
    {
        lock (_lock)
        {
            if (!_orders.ContainsKey((space, order)))
            {
                Do(new JsonObject { ["do"] = "open", ["space"] = space, ["order"] = order, ["amount"] = amount, ["currency"] = currency, ["notifyUrl"] = notifyUrl });
            }

            return _orders[(space, order)];
        }
    }

    /// <summary>An order, or null.</summary>
    public SimulatedOrder? Find(string space, string order)
    {
        lock (_lock)
        {
            return _orders.GetValueOrDefault((space, order));
        }
    }

    /// <summary>Closes an order unless it is paid.</summary>
    public SimulatedOrder? Close(string space, string order)
    {
        lock (_lock)
        {
            if (_orders.GetValueOrDefault((space, order)) is { State: "open" })
            {
                Do(new JsonObject { ["do"] = "close", ["space"] = space, ["order"] = order });
            }

            return _orders.GetValueOrDefault((space, order));
        }
    }

    /// <summary>The shopper pays; perhaps another amount, twice, or too late.</summary>
    /// <returns>Null: there is no such order, or it can't be paid any more.</returns>
    public SimulatedOrder? Pay(string space, string order, long? amount = null)
    {
        lock (_lock)
        {
            if (_orders.GetValueOrDefault((space, order)) is not { State: "open", IsSettling: false } paid)
            {
                return null;
            }

            long value = amount ?? (Chance(Faults.WrongAmount) ? paid.Amount - 1 : paid.Amount);
            if (Chance(Faults.Late))
            {
                // Underway until the order is closed, and some time longer: as with a bank's transfer.
                paid.IsSettling = true;
                _ = SettleLaterAsync(paid, value);
                return paid;
            }

            bool twice = Chance(Faults.Twice);
            PayNow(paid, value, isOnlyOne: !twice);
            if (twice)
            {
                PayNow(paid, paid.Amount);
            }

            return paid;
        }
    }

    /// <summary>A payment that was underway when its order was closed, and settles all the same.</summary>
    internal void PayLate(string space, string order)
    {
        lock (_lock)
        {
            PayNow(_orders[(space, order)], _orders[(space, order)].Amount);
        }
    }

    /// <summary>Sends money back; the same id again is the same refund.</summary>
    /// <returns>Null: there is no such payment, or less is left of it.</returns>
    public SimulatedRefund? Refund(string id, string transaction, long amount)
    {
        lock (_lock)
        {
            if (_refunds.GetValueOrDefault(id) is { } known)
            {
                return known.Transaction == transaction && known.Amount == amount ? known : null;
            }

            if (_payments.GetValueOrDefault(transaction) is not { } payment || amount < 1 || amount > payment.Amount - payment.Refunded)
            {
                return null;
            }

            Do(new JsonObject { ["do"] = "refund", ["refund"] = id, ["transaction"] = transaction, ["amount"] = amount });
            SimulatedOrder order = _orders[(payment.Space, payment.Order)];
            Notify(order, NoticeKind.Refunded, transaction, amount, id);
            return _refunds[id];
        }
    }

    /// <summary>A refund, or null.</summary>
    public SimulatedRefund? FindRefund(string id)
    {
        lock (_lock)
        {
            return _refunds.GetValueOrDefault(id);
        }
    }

    /// <summary>The bill of a day (UTC) as CSV: payments and refunds in the order they were made.</summary>
    public string Bill(DateOnly day)
    {
        var bill = new StringBuilder("time,type,order,transaction,refund,amount,currency\n");
        lock (_lock)
        {
            foreach ((DateTimeOffset at, string line) in _payments.Values
                .Select(p => (p.At, $"payment,{Quoted(p.Order)},{p.Transaction},,{p.Amount.ToString(CultureInfo.InvariantCulture)},{p.Currency}"))
                .Concat(_refunds.Values.Select(r => (r.At, $"refund,{Quoted(r.Order)},{r.Transaction},{r.Id},{(-r.Amount).ToString(CultureInfo.InvariantCulture)},{r.Currency}")))
                .Where(l => DateOnly.FromDateTime(l.At.UtcDateTime) == day)
                .OrderBy(l => l.At))
            {
                bill.Append(at.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture)).Append(',').Append(line).Append('\n');
            }
        }

        return bill.ToString();
    }

    /// <summary>Whether a call's answer is lost after the call was carried out.</summary>
    public bool LosesAnswer()
    {
        lock (_lock)
        {
            return Chance(Faults.Timeout);
        }
    }

    /// <summary>Stops sending.</summary>
    public async ValueTask DisposeAsync()
    {
        await _sender.DisposeAsync();
        if (_log is not null)
        {
            await _log.DisposeAsync();
        }
    }

    private static string Quoted(string text) => text.AsSpan().IndexOfAny(",\"\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    private async Task SettleLaterAsync(SimulatedOrder order, long amount)
    {
        for (int waited = 0; waited < 600 && order.State == "open" && !_sender.IsStopping; waited++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), _time);
        }

        await Task.Delay(TimeSpan.FromMilliseconds(Faults.DelayMs / 2.0), _time);
        lock (_lock)
        {
            if (!_sender.IsStopping)
            {
                PayNow(order, amount);
            }
        }
    }

    private void PayNow(SimulatedOrder order, long amount, bool isOnlyOne = false)
    {
        string transaction = "sim-" + (_payments.Count + 1).ToString(CultureInfo.InvariantCulture);
        Do(new JsonObject { ["do"] = "pay", ["space"] = order.Space, ["order"] = order.Order, ["transaction"] = transaction, ["amount"] = amount });
        Notify(order, NoticeKind.Paid, transaction, amount, null, isFoundByAsking: isOnlyOne);
    }

    /// <summary>Under the lock: the order of draws is the order of what happens.</summary>
    private void Notify(SimulatedOrder order, NoticeKind kind, string transaction, long amount, string? refund, bool isFoundByAsking = false)
    {
        if (order.NotifyUrl is null)
        {
            return;
        }

        byte[] body = Encoding.UTF8.GetBytes(PaymentMessage.Write(kind, order.Order, transaction, amount, order.Currency, refund).ToJsonString());
        string id = refund is null ? "pay-" + transaction : "refund-" + refund;
        if (Chance(Faults.Forge))
        {
            _sender.SendForged(order.NotifyUrl, id + "-forged", body);
        }

        TimeSpan lost = TimeSpan.Zero;
        if (Chance(Faults.Drop))
        {
            if (isFoundByAsking)
            {
                return; // never sent
            }

            // One of two payments, or one after the close: asking about the order would not show it, and were it never
            // sent, it would be found on the bill alone. So it is lost on its way, and sent again later.
            lost = TimeSpan.FromMilliseconds(2 * Faults.DelayMs);
        }

        int copies = Chance(Faults.Duplicate) ? _random.Next(2, 6) : 1;
        for (int i = 0; i < copies; i++)
        {
            _sender.Send(order.NotifyUrl, id, body, lost + TimeSpan.FromMilliseconds(Chance(Faults.Delay) ? _random.Next(Faults.DelayMs + 1) : 0));
        }
    }

    private bool Chance(double share) => share > 0 && _random.NextDouble() < share;

    private void Do(JsonObject step)
    {
        step["at"] = _time.GetUtcNow().ToUnixTimeMilliseconds();
        _log?.WriteLine(step.ToJsonString());
        Apply(step);
    }

    private void Apply(JsonObject step)
    {
        var at = DateTimeOffset.FromUnixTimeMilliseconds((long)step["at"]!);
        string order = (string?)step["order"] ?? "", space = (string?)step["space"] ?? "";
        switch ((string)step["do"]!)
        {
            case "open":
                _orders[(space, order)] = new SimulatedOrder(space, order, (long)step["amount"]!, (string)step["currency"]!, (string?)step["notifyUrl"]);
                break;
            case "close":
                _orders[(space, order)].State = "closed";
                break;
            case "pay":
                SimulatedOrder paid = _orders[(space, order)];
                var payment = new SimulatedPayment(space, order, (string)step["transaction"]!, (long)step["amount"]!, paid.Currency, at);
                _payments.Add(payment.Transaction, payment);
                paid.State = "paid";
                paid.Payment ??= payment;
                break;
            case "refund":
                SimulatedPayment back = _payments[(string)step["transaction"]!];
                back.Refunded += (long)step["amount"]!;
                string id = (string)step["refund"]!;
                _refunds.Add(id, new SimulatedRefund(id, back.Transaction, back.Order, (long)step["amount"]!, back.Currency, at));
                break;
        }
    }
}

/// <summary>An order at the simulated provider.</summary>
public sealed class SimulatedOrder(string space, string order, long amount, string currency, string? notifyUrl)
{
    /// <summary>The space of the checkout.</summary>
    public string Space { get; } = space;

    /// <summary>The merchant's order number.</summary>
    public string Order { get; } = order;

    /// <summary>Minor units.</summary>
    public long Amount { get; } = amount;

    /// <summary>ISO 4217.</summary>
    public string Currency { get; } = currency;

    /// <summary>Where it is called back; null: nowhere.</summary>
    public string? NotifyUrl { get; } = notifyUrl;

    /// <summary><c>open</c>, <c>paid</c> or <c>closed</c>.</summary>
    public string State { get; set; } = "open";

    /// <summary>Whether a payment is underway.</summary>
    public bool IsSettling { get; set; }

    /// <summary>The payment that paid it.</summary>
    public SimulatedPayment? Payment { get; set; }
}

/// <summary>A payment at the simulated provider.</summary>
public sealed class SimulatedPayment(string space, string order, string transaction, long amount, string currency, DateTimeOffset at)
{
    /// <summary>The space of the checkout.</summary>
    public string Space { get; } = space;

    /// <summary>The merchant's order number.</summary>
    public string Order { get; } = order;

    /// <summary>Its id.</summary>
    public string Transaction { get; } = transaction;

    /// <summary>Minor units.</summary>
    public long Amount { get; } = amount;

    /// <summary>ISO 4217.</summary>
    public string Currency { get; } = currency;

    /// <summary>When.</summary>
    public DateTimeOffset At { get; } = at;

    /// <summary>Minor units that went back.</summary>
    public long Refunded { get; set; }
}

/// <summary>A refund at the simulated provider.</summary>
public sealed record SimulatedRefund(string Id, string Transaction, string Order, long Amount, string Currency, DateTimeOffset At);

/// <summary>What the simulated provider knows.</summary>
/// <param name="Orders">Orders.</param>
/// <param name="Payments">Payments.</param>
/// <param name="Paid">Their sum in minor units.</param>
/// <param name="Refunds">Refunds.</param>
/// <param name="Refunded">Their sum in minor units.</param>
/// <param name="CallbacksSent">Genuine callbacks sent, repeats included.</param>
/// <param name="CallbacksForged">Forged ones sent.</param>
/// <param name="ForgedRefused">Forged ones that were answered 401.</param>
/// <param name="DuplicatesTaken">Callbacks that were acknowledged though the same had been before.</param>
public sealed record SimulatorBooks(int Orders, int Payments, long Paid, int Refunds, long Refunded, long CallbacksSent, long CallbacksForged, long ForgedRefused, long DuplicatesTaken);
