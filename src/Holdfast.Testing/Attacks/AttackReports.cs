using System.Text.Json;
using System.Xml.Linq;

namespace Holdfast.Testing.Attacks;

/// <summary>The findings for machines.</summary>
public static class AttackReports
{
    private static readonly JsonSerializerOptions Indented = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>JUnit XML: a test case a rule.</summary>
    public static string JUnit(IReadOnlyList<Finding> findings)
    {
        ArgumentNullException.ThrowIfNull(findings);
        var suite = new XElement(
            "testsuite",
            new XAttribute("name", "holdfast attack"),
            new XAttribute("tests", findings.Count),
            new XAttribute("failures", findings.Count(f => f.Verdict == Verdict.Broken)),
            new XAttribute("skipped", findings.Count(f => f.Verdict == Verdict.Skipped)),
            new XAttribute("errors", 0),
            findings.Select(f => new XElement("testcase", new XAttribute("classname", "participant"), new XAttribute("name", f.Rule.Id), Outcome(f))));
        return new XDocument(new XDeclaration("1.0", "utf-8", null), new XElement("testsuites", suite)).ToString() + "\n";
    }

    /// <summary>JSON: a list of <c>{rule, verdict, demands, seen, shopper, remedy}</c>.</summary>
    public static string Json(IReadOnlyList<Finding> findings)
    {
        ArgumentNullException.ThrowIfNull(findings);
        return JsonSerializer.Serialize(
            findings.Select(f => new
            {
                rule = f.Rule.Id,
                verdict = f.Verdict.ToString().ToLowerInvariant(),
                demands = f.Rule.Demands,
                seen = f.Seen,
                shopper = f.Verdict == Verdict.Broken ? f.Rule.Shopper : null,
                remedy = f.Verdict == Verdict.Broken ? f.Rule.Remedy : null,
            }),
            Indented) + "\n";
    }

    private static XElement? Outcome(Finding finding) => finding.Verdict switch
    {
        Verdict.Broken => new XElement("failure", new XAttribute("message", finding.Seen), $"{finding.Rule.Demands}\nA shopper: {finding.Rule.Shopper}\n{finding.Rule.Remedy}"),
        Verdict.Skipped => new XElement("skipped", new XAttribute("message", finding.Seen)),
        _ => null,
    };
}
