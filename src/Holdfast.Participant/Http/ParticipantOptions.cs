using System.Data.Common;

namespace Holdfast.Participant;

/// <summary>What all participants of a service share: the database, the coordinator's secret.</summary>
public sealed class ParticipantOptions
{
    /// <summary>The coordinator's secrets (<c>whsec_...</c>, in its data folder's file <c>signing-secret</c>, or its setting <c>signingSecrets</c>).</summary>
    public IList<string> Secrets { get; } = [];

    /// <summary>Takes calls without looking at their signature. For trials only: whoever reaches the service can then confirm and cancel.</summary>
    public bool AllowUnsigned { get; set; }

    /// <summary>Makes a closed connection to the participant's database; it is disposed after the call. Null: the service's <see cref="DbDataSource"/>.</summary>
    public Func<IServiceProvider, DbConnection>? Connection { get; set; }

    /// <summary>How the barrier works.</summary>
    public BarrierOptions Barrier { get; set; } = new();

    /// <summary>Largest body, in bytes. Default 64 KiB, the most that a coordinator sends.</summary>
    public int BodyBytesMax { get; set; } = 64 * 1024;
}
