namespace Holdfast.Engine;

/// <summary>Holdfast can't do what the host asked (start a space, open storage). The message says what to do.</summary>
public sealed class HoldfastException(string message, Exception? inner = null) : Exception(message, inner);
