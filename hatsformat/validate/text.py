"""The report for people: what, where, and how to mend it."""

from __future__ import annotations

from hatsformat.validate.report import EXAMPLES, Finding, Place, Report

_COLORS = {"error": "\x1b[31m", "warning": "\x1b[33m", "info": "\x1b[36m", "good": "\x1b[32m"}
_PLAIN = "\x1b[0m"


def render_text(report: Report, *, color: bool = False) -> str:
    """Return a report as text.

    Parameters
    ----------
    report : Report
    color : bool
        Whether to colour the severities for a terminal.

    Returns
    -------
    str
        Ends in a line feed.
    """
    lines: list[str] = []
    for finding in report.findings:
        lines += [*_finding(finding, color), ""]
    lines += _not_run(report)
    lines.append(_verdict(report, color))
    return "\n".join(lines) + "\n"


def _paint(text: str, kind: str, color: bool) -> str:
    return f"{_COLORS[kind]}{text}{_PLAIN}" if color else text


def _finding(finding: Finding, color: bool) -> list[str]:
    head = f"{_paint(finding.severity, finding.severity, color)} {finding.rule}: {finding.message}"
    if finding.count > 1:
        head += f" ({finding.count} places)"
    lines = [head, *(f"  at {_place(place)}" for place in finding.examples)]
    if finding.count > EXAMPLES:
        lines.append(f"  and {finding.count - EXAMPLES} more")
    lines.append(f"  {finding.fix} (Note, section {finding.section})")
    return lines


def _place(place: Place) -> str:
    text = str(place.location)
    if place.actual is not None:
        text += f": {place.actual}"
    if place.expected is not None:
        text += f"{':' if place.actual is None else ','} expected {place.expected}"
    return text


def _not_run(report: Report) -> list[str]:
    by_reason: dict[tuple[str | None, str], list[str]] = {}
    for item in report.not_run:
        by_reason.setdefault((item.path, item.reason), []).append(item.rule)
    if not by_reason:
        return []
    lines = ["Not run:"]
    for (path, reason), rules in by_reason.items():
        where = "" if path is None else f"{path}: "
        lines.append(f"  {where}{reason} ({', '.join(rules)})")
    return [*lines, ""]


def _verdict(report: Report, color: bool) -> str:
    summary = report.summary
    counts = ", ".join(
        f"{summary[kind]} {kind if kind == 'info' or summary[kind] == 1 else kind + 's'}"
        for kind in ("error", "warning", "info")
    )
    verdict = _paint("valid", "good", color) if report.valid else _paint("not valid", "error", color)
    return (
        f"{report.path}: {verdict} (edition {report.edition}, level {report.level}): {counts}; "
        f"{summary['passed']} checks passed, {summary['not_run']} not run"
    )
