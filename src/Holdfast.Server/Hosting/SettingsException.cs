namespace Holdfast.Server;

/// <summary>A setting is not usable. The message names it and says what to do; show it as it is.</summary>
public sealed class SettingsException(string message, Exception? inner = null) : Exception(message, inner);
