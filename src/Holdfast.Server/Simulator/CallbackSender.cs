using System.Collections.Concurrent;
using System.Net.Http.Headers;
using Holdfast.Engine.Effects;

namespace Holdfast.Server.Simulator;

/// <summary>Sends the simulated provider's callbacks, each again until somebody takes it.</summary>
internal sealed class CallbackSender(SigningKey key, TimeProvider time) : IAsyncDisposable
{
    private const int AtOnceMax = 64;
    private const int AttemptsMax = 60;

    private readonly HttpClient _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = AtOnceMax, ActivityHeadersPropagator = null }) { Timeout = TimeSpan.FromSeconds(10) };
    private readonly SemaphoreSlim _turn = new(AtOnceMax);
    private readonly CancellationTokenSource _stopping = new();
    private readonly SigningKey _forgersKey = SigningKey.Parse(SigningKey.Format(new byte[32]));
    private long _sent;
    private long _forged;
    private readonly ConcurrentDictionary<string, bool> _taken = new(StringComparer.Ordinal);
    private long _refused;
    private long _duplicates;

    public long Sent => Interlocked.Read(ref _sent);

    public long Forged => Interlocked.Read(ref _forged);

    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Those that were acknowledged again.</summary>
    public long DuplicatesTaken => Interlocked.Read(ref _duplicates);

    public bool IsStopping => _stopping.IsCancellationRequested;

    public void Send(string url, string id, byte[] body, TimeSpan after) => _ = SendAsync(url, id, body, after, key);

    public void SendForged(string url, string id, byte[] body) => _ = SendAsync(url, id, body, TimeSpan.Zero, _forgersKey);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _http.Dispose();
    }

    private async Task SendAsync(string url, string id, byte[] body, TimeSpan after, SigningKey signer)
    {
        bool genuine = signer == key;
        try
        {
            await Task.Delay(after, time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            for (int attempt = 0; attempt < AttemptsMax; attempt++)
            {
                int status = await PostAsync(url, id, body, signer);
                Interlocked.Increment(ref genuine ? ref _sent : ref _forged);
                if (!genuine)
                {
                    Interlocked.Add(ref _refused, status == 401 ? 1 : 0);
                    return;
                }

                if (status is >= 200 and < 300)
                {
                    Interlocked.Add(ref _duplicates, _taken.TryAdd(id, true) ? 0 : 1);
                    return;
                }

                await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(5_000, 100 << Math.Min(attempt, 6))), time, _stopping.Token);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The provider goes: polling finds what it has not told.
        }
    }

    /// <summary>The status; 0: no answer.</summary>
    private async Task<int> PostAsync(string url, string id, byte[] body, SigningKey signer)
    {
        await _turn.WaitAsync(_stopping.Token);
        try
        {
            long timestamp = time.GetUtcNow().ToUnixTimeSeconds();
            using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(body) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.TryAddWithoutValidation("webhook-id", id);
            request.Headers.TryAddWithoutValidation("webhook-timestamp", timestamp.ToString(System.Globalization.CultureInfo.InvariantCulture));
            request.Headers.TryAddWithoutValidation("webhook-signature", signer.Sign(id, timestamp, body));
            using HttpResponseMessage response = await _http.SendAsync(request, _stopping.Token);
            return (int)response.StatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !_stopping.IsCancellationRequested))
        {
            return 0;
        }
        finally
        {
            _turn.Release();
        }
    }
}
