using System.Buffers.Binary;
using System.Text;

namespace Holdfast.Kernel;

/// <summary>
/// The whole state as bytes, format 3: blocks of at most about 1 MiB, each behind its length (4 bytes, little endian); a
/// block of length 0 ends. Header, resources, adjustment ids, accounts with use, finished holds oldest first, live holds, transactions, checkouts. Formats 1 (without transactions) and 2 (without checkouts) are still read.
/// </summary>
/// <remarks>Slot numbers are not part of the state; what refers to them is written by name or order.</remarks>
internal static class Snapshot
{
    private const int Version = 3;
    private const int BlockBytes = 1024 * 1024;

    public static void Write(Ledger ledger, TransactionBook book, CheckoutBook checkouts, Stream target)
    {
        var block = new Blocks(target);
        EventBuffer output = block.Output;
        output.VarUInt(Version);
        output.VarUInt(ledger.Digest);
        output.VarUInt((ulong)ledger.LastTimeMs);
        output.VarUInt((ulong)ledger.Resources.Count);
        for (int i = 0; i < ledger.Resources.Count; i++)
        {
            WriteResource(output, ledger.Resources[i]);
            block.FlushWhenLarge();
        }

        output.VarUInt((ulong)ledger.KnownAdjustments.Count);
        foreach ((long time, int resource, string id) in ledger.KnownAdjustments)
        {
            KnownAdjustment known = ledger.Resources[resource].Adjustments[id];
            output.VarUInt((ulong)time);
            output.VarUInt((ulong)resource);
            output.Text(Encoding.UTF8.GetBytes(id));
            output.Byte((byte)((known.Absolute ? 1 : 0) | (known.Force ? 2 : 0)));
            output.VarInt(known.Asked);
            output.VarInt(known.ExpectedVersion);
            block.FlushWhenLarge();
        }

        WriteAccounts(ledger, block);
        WriteHolds(ledger, block);
        TransactionSnapshot.Write(book, block.Output, block.FlushWhenLarge);
        CheckoutSnapshot.Write(checkouts, block.Output, block.FlushWhenLarge);
        block.Finish();
    }

    public static void Read(Ledger ledger, TransactionBook book, CheckoutBook checkouts, Stream source)
    {
        var blocks = new BlockReader(source);
        EventReader reader = blocks.First();
        ulong version = reader.VarUInt();
        if (version is < 1 or > Version)
        {
            throw new InvalidDataException($"The snapshot has format {version}; this version of Holdfast reads formats 1 to {Version}.");
        }

        ledger.Digest = reader.VarUInt();
        ledger.LastTimeMs = reader.VarLong();
        ulong resources = reader.VarUInt();
        for (ulong i = 0; i < resources; i++)
        {
            blocks.NextWhenDone(ref reader);
            ReadResource(ledger, ref reader);
        }

        blocks.NextWhenDone(ref reader);
        ulong adjustments = reader.VarUInt();
        for (ulong i = 0; i < adjustments; i++)
        {
            blocks.NextWhenDone(ref reader);
            long time = reader.VarLong();
            int resource = (int)reader.VarUInt();
            string id = Encoding.UTF8.GetString(reader.Text());
            byte flags = reader.Byte();
            ledger.Resources[resource].Adjustments[id] = new KnownAdjustment((flags & 1) != 0, (flags & 2) != 0, reader.VarInt(), reader.VarInt());
            ledger.KnownAdjustments.Enqueue((time, resource, id));
        }

        blocks.NextWhenDone(ref reader);
        ReadAccounts(ledger, blocks, ref reader);
        blocks.NextWhenDone(ref reader);
        ReadHolds(ledger, blocks, ref reader);
        if (version >= 2)
        {
            ReadTransactions(book, blocks, ref reader);
        }

        if (version >= 3)
        {
            ReadCheckouts(checkouts, blocks, ref reader);
        }

        blocks.ExpectEnd(reader);
    }

    private static void WriteResource(EventBuffer output, Resource resource)
    {
        output.Text(resource.Name);
        ResourcePutEvent.WritePolicy(output, resource.Policy);
        output.VarInt(resource.Available);
        output.VarInt(resource.Held);
        output.VarInt(resource.Consumed);
        output.VarInt(resource.Supplied);
        output.VarUInt((ulong)resource.Version);
        output.VarInt(resource.ConsumedByForgotten);
    }

    private static void ReadResource(Ledger ledger, ref EventReader reader)
    {
        ReadOnlySpan<byte> name = reader.Text();
        Resource resource = ledger.Resources.Add(ledger.Hasher.Hash(name), name);
        resource.SetPolicy(ResourcePutEvent.ReadPolicy(ref reader));
        resource.Available = reader.VarInt();
        resource.Held = reader.VarInt();
        resource.Consumed = reader.VarInt();
        resource.Supplied = reader.VarInt();
        resource.Version = reader.VarLong();
        resource.ConsumedByForgotten = reader.VarInt();
    }

    private static void WriteAccounts(Ledger ledger, Blocks block)
    {
        EventBuffer output = block.Output;
        AccountTable accounts = ledger.Accounts;
        ulong used = 0;
        for (int i = 0; i < accounts.End; i++)
        {
            used += accounts[i].Name != 0 && accounts[i].Used != 0 ? 1UL : 0;
        }

        output.VarUInt(used);
        for (int i = 0; i < accounts.End; i++)
        {
            if (accounts[i].Name != 0 && accounts[i].Used != 0)
            {
                output.Text(accounts.OwnerOf(i));
                output.VarUInt((ulong)accounts[i].Resource);
                output.VarInt(accounts[i].Used);
                block.FlushWhenLarge();
            }
        }
    }

    private static void ReadAccounts(Ledger ledger, BlockReader blocks, ref EventReader reader)
    {
        ulong count = reader.VarUInt();
        for (ulong i = 0; i < count; i++)
        {
            blocks.NextWhenDone(ref reader);
            ReadOnlySpan<byte> owner = reader.Text();
            int account = ledger.Accounts.FindOrAdd(ledger.Hasher.Hash(owner), owner, (int)reader.VarUInt());
            ledger.Accounts[account].Used = reader.VarInt();
        }
    }

    private static void WriteHolds(Ledger ledger, Blocks block)
    {
        HoldTable holds = ledger.Holds;
        var lines = new LineState[LinedCommand.MaxLines];
        block.Output.VarUInt((ulong)holds.Count);
        for (int slot = holds.OldestFinished; slot >= 0; slot = holds[slot].Next)
        {
            WriteHold(ledger, block.Output, slot, lines);
            block.FlushWhenLarge();
        }

        for (int slot = 0; slot < holds.End; slot++)
        {
            if (holds[slot].State == HoldState.Held)
            {
                WriteHold(ledger, block.Output, slot, lines);
                block.FlushWhenLarge();
            }
        }
    }

    private static void WriteHold(Ledger ledger, EventBuffer output, int slot, LineState[] lines)
    {
        ref HoldSlot hold = ref ledger.Holds[slot];
        HoldHeader header = ledger.Holds.ReadLines(slot, lines);
        output.Byte((byte)((byte)hold.State | (header.Detailed ? 0x80 : 0)));
        output.VarUInt((ulong)hold.TimeMs);
        output.Text(ledger.Holds.IdOf(slot));
        output.Text(ledger.Holds.OwnerOf(slot));
        output.VarUInt((ulong)header.CreatedAtMs);
        output.VarUInt((ulong)header.TtlMs);
        output.VarUInt((ulong)header.LifeMs);
        output.Byte((byte)header.LineCount);
        foreach (ref LineState line in lines.AsSpan(0, header.LineCount))
        {
            bool last = line.Account >= 0 && ledger.Accounts[line.Account].LastHold == slot;
            output.VarUInt(((ulong)line.Resource << 1) | (last ? 1UL : 0));
            output.VarUInt((ulong)line.Quantity);
            if (header.Detailed)
            {
                output.VarUInt((ulong)line.Held);
                output.VarUInt((ulong)line.Consumed);
                output.VarUInt((ulong)line.Returned);
                output.VarUInt((ulong)line.LastConfirmed);
            }
        }

        List<KnownReturn>? returns = ledger.Holds.Returns.GetValueOrDefault(slot);
        output.VarUInt((ulong)(returns?.Count ?? 0));
        foreach (KnownReturn known in returns ?? [])
        {
            output.Text(Encoding.UTF8.GetBytes(known.Id));
            foreach (long quantity in known.Quantities)
            {
                output.VarUInt((ulong)quantity);
            }
        }
    }

    private static void ReadHolds(Ledger ledger, BlockReader blocks, ref EventReader reader)
    {
        var lines = new LineState[LinedCommand.MaxLines];
        ulong count = reader.VarUInt();
        for (ulong i = 0; i < count; i++)
        {
            blocks.NextWhenDone(ref reader);
            ReadHold(ledger, ref reader, lines);
        }
    }

    private static void ReadTransactions(TransactionBook book, BlockReader blocks, ref EventReader reader)
    {
        blocks.NextWhenDone(ref reader);
        (long nextNumber, ulong count) = TransactionSnapshot.ReadHeader(ref reader);
        var transactions = new List<Transaction>();
        for (ulong i = 0; i < count; i++)
        {
            blocks.NextWhenDone(ref reader);
            transactions.Add(TransactionSnapshot.Read(ref reader));
        }

        book.Restore(nextNumber, transactions);
    }

    private static void ReadCheckouts(CheckoutBook book, BlockReader blocks, ref EventReader reader)
    {
        blocks.NextWhenDone(ref reader);
        long next = reader.VarLong();
        ulong count = reader.VarUInt(), strays = reader.VarUInt();
        var checkouts = new List<Checkout>();
        for (ulong i = 0; i < count; i++)
        {
            blocks.NextWhenDone(ref reader);
            checkouts.Add(CheckoutSnapshot.Read(ref reader));
        }

        var strayIds = new List<string>();
        for (ulong i = 0; i < strays; i++)
        {
            blocks.NextWhenDone(ref reader);
            strayIds.Add(reader.String());
        }

        book.Restore(next, checkouts, strayIds);
    }

    private static void ReadHold(Ledger ledger, ref EventReader reader, LineState[] lines)
    {
        byte stateAndForm = reader.Byte();
        var state = (HoldState)(stateAndForm & 0x7F);
        bool detailed = (stateAndForm & 0x80) != 0;
        long time = reader.VarLong();
        ReadOnlySpan<byte> id = reader.Text(), owner = reader.Text();
        var header = new HoldHeader(reader.VarLong(), reader.VarLong(), reader.VarLong(), reader.Byte(), detailed);
        Span<bool> last = stackalloc bool[LinedCommand.MaxLines];
        ulong ownerHash = owner.IsEmpty ? 0 : ledger.Hasher.Hash(owner);
        for (int i = 0; i < header.LineCount; i++)
        {
            ulong resourceAndLast = reader.VarUInt();
            last[i] = (resourceAndLast & 1) != 0;
            int resource = (int)(resourceAndLast >> 1);
            int account = owner.IsEmpty ? -1 : ledger.Accounts.FindOrAdd(ownerHash, owner, resource);
            lines[i] = new LineState { Account = account, Resource = resource, Quantity = reader.VarLong() };
            if (detailed)
            {
                lines[i].Held = reader.VarLong();
                lines[i].Consumed = reader.VarLong();
                lines[i].Returned = reader.VarLong();
                lines[i].LastConfirmed = reader.VarLong();
            }
        }

        ulong hash = ledger.Hasher.Hash(id);
        ReadOnlySpan<LineState> own = lines.AsSpan(0, header.LineCount);
        int slot = state == HoldState.Held
            ? ledger.Holds.AddHeld(hash, id, header, own)
            : ledger.Holds.AddFinished(hash, id, header, own, state, time);
        for (int i = 0; i < header.LineCount; i++)
        {
            if (lines[i].Account >= 0)
            {
                ref Account account = ref ledger.Accounts[lines[i].Account];
                account.References++;
                account.LastHold = last[i] ? slot : account.LastHold;
            }
        }

        ulong returns = reader.VarUInt();
        for (ulong i = 0; i < returns; i++)
        {
            string returnId = Encoding.UTF8.GetString(reader.Text());
            long[] quantities = new long[header.LineCount];
            for (int l = 0; l < quantities.Length; l++)
            {
                quantities[l] = reader.VarLong();
            }

            if (!ledger.Holds.Returns.TryGetValue(slot, out List<KnownReturn>? known))
            {
                ledger.Holds.Returns[slot] = known = [];
            }

            known.Add(new KnownReturn(returnId, quantities));
        }
    }

    /// <summary>Collects entries into blocks.</summary>
    private sealed class Blocks(Stream target)
    {
        public EventBuffer Output { get; } = new(0, BlockBytes + (64 * 1024));

        public void FlushWhenLarge()
        {
            if (Output.PayloadLength >= BlockBytes)
            {
                Flush();
            }
        }

        public void Finish()
        {
            Flush();
            target.Write(stackalloc byte[4]);
        }

        private void Flush()
        {
            if (Output.PayloadLength == 0)
            {
                return;
            }

            Span<byte> length = stackalloc byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(length, Output.PayloadLength);
            target.Write(length);
            target.Write(Output.Payload);
            Output.Clear();
        }
    }

    private sealed class BlockReader(Stream source)
    {
        // Entries never cross blocks, so a block can be replaced as soon as its last entry was taken apart.
        private byte[] _block = [];

        public EventReader First() => new(Load());

        public void NextWhenDone(ref EventReader reader)
        {
            if (reader.AtEnd)
            {
                reader = new EventReader(Load());
            }
        }

        /// <summary>A snapshot that was cut short, or goes on, is not the state that it claims to be.</summary>
        public void ExpectEnd(EventReader reader)
        {
            if (!reader.AtEnd || Load().Length != 0)
            {
                throw new InvalidDataException("The snapshot goes on behind its last entry.");
            }
        }

        private ReadOnlySpan<byte> Load()
        {
            Span<byte> prefix = stackalloc byte[4];
            source.ReadExactly(prefix);
            int length = BinaryPrimitives.ReadInt32LittleEndian(prefix);
            if (length is < 0 or > 64 * 1024 * 1024)
            {
                throw new InvalidDataException("The snapshot's block length is out of bounds.");
            }

            if (_block.Length < length)
            {
                _block = new byte[length];
            }

            source.ReadExactly(_block.AsSpan(0, length));
            return _block.AsSpan(0, length);
        }
    }
}
