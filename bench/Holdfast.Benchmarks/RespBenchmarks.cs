using BenchmarkDotNet.Attributes;
using Holdfast.Server.Resp;

namespace Holdfast.Benchmarks;

/// <summary>Taking one RESP command apart.</summary>
public class RespBenchmarks
{
    private readonly byte[] _input = "*6\r\n$8\r\nHOLD.TRY\r\n$15\r\nh-1000000000017\r\n$11\r\nu-500000008\r\n$3\r\n600\r\n$5\r\nsku-1\r\n$1\r\n1\r\n"u8.ToArray();
    private readonly RespParser _parser = new();

    /// <summary>A try, whole in the buffer.</summary>
    [Benchmark]
    public int Parse()
    {
        RespParse parse = _parser.Next(_input, out int length);
        return parse == RespParse.Command ? length : throw new InvalidOperationException("not a command");
    }
}
