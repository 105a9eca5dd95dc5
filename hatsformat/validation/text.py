"""The report as text: what, where, why it matters and how to fix it."""

from __future__ import annotations

from collections.abc import Sequence

from hatsformat.validation.findings import EXAMPLES, Departure, Finding, NotRun, Verdict
from hatsformat.validation.requirements import requirements
from hatsformat.validation.sanitizing import visible

MOST_RULES = 10
"""The most rules listed per reason in "Not run"; the JSON report has all of them."""

_COLORS = {"error": "\x1b[31m", "warning": "\x1b[33m", "info": "\x1b[36m", "good": "\x1b[32m"}
_PLAIN = "\x1b[0m"


def render_text(
    verdict: Verdict, findings: Sequence[Finding], not_run: Sequence[NotRun], *, color: bool = False
) -> str:
    """Return a report as text.

    Parameters
    ----------
    verdict : Verdict
    findings : sequence of Finding
    not_run : sequence of NotRun
    color : bool
        Whether to colour the severities for a terminal.

    Returns
    -------
    str
        Ends with a newline.
    """
    lines: list[str] = []
    for finding in findings:
        lines += [*_finding(finding, color), ""]
    lines += _not_run(not_run)
    lines.append(_last_line(verdict, color))
    return "\n".join(lines) + "\n"


def _paint(text: str, kind: str, color: bool) -> str:
    return f"{_COLORS[kind]}{text}{_PLAIN}" if color else text


def _finding(finding: Finding, color: bool) -> list[str]:
    head = f"{_paint(finding.severity, finding.severity, color)} {finding.rule}: {visible(finding.message)}"
    if finding.count > 1:
        head += f" ({finding.count} locations)"
    lines = [head, *(f"  at {_departure(departure)}" for departure in finding.examples)]
    if finding.count > EXAMPLES:
        lines.append(f"  and {finding.count - EXAMPLES} more")
    rule = requirements().get(finding.rule)
    if rule is not None and rule.why is not None:
        lines.append(f"  why: {rule.why}")
    lines.append(f"  fix: {finding.fix} (Note, section {finding.section})")
    return lines


def _departure(departure: Departure) -> str:
    text = str(departure.location)
    if departure.actual is not None:
        text += f": {departure.actual}"
    if departure.expected is not None:
        text += f"{':' if departure.actual is None else ','} expected {departure.expected}"
    return visible(text)


def _not_run(items: Sequence[NotRun]) -> list[str]:
    by_reason: dict[tuple[str | None, str], list[str]] = {}
    for item in items:
        by_reason.setdefault((item.path, item.reason), []).append(item.rule)
    if not by_reason:
        return []
    lines = ["Not run:"]
    for (path, reason), rules in by_reason.items():
        where = "" if path is None else f"{path}: "
        more = f" and {len(rules) - MOST_RULES} more" if len(rules) > MOST_RULES else ""
        lines.append(visible(f"  {where}{reason} ({', '.join(rules[:MOST_RULES])}{more})"))
    return [*lines, ""]


def _last_line(verdict: Verdict, color: bool) -> str:
    summary = verdict.summary
    counts = ", ".join(
        f"{summary[kind]} {kind if kind == 'info' or summary[kind] == 1 else kind + 's'}"
        for kind in ("error", "warning", "info")
    )
    outcome = _paint("valid", "good", color) if verdict.valid else _paint("not valid", "error", color)
    return (
        f"{visible(verdict.path)}: {outcome} (edition {verdict.edition}, level {verdict.level}): {counts}; "
        f"{summary['passed']} checks passed, {summary['not_run']} not run"
    )
