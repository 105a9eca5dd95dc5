"""The report as one self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape

from hatsformat._version import __version__
from hatsformat.validation.findings import Departure, Finding, NotRun, Verdict
from hatsformat.validation.html_assets import SCRIPT, STYLE
from hatsformat.validation.requirements import Requirement, requirements
from hatsformat.validation.sanitizing import visible
from hatsformat.validation.sky_drawing import SHAPES, Footprint, Tiles, coarsen, draw_sky, mark

MOST_SHOWN = 20_000
"""The most departures of a finding on the page; the JSON report has all of them."""

_SEVERITIES = ("error", "warning", "info")
_NAMES = {"error": "errors", "warning": "warnings", "info": "info"}


def render_html(
    verdict: Verdict, findings: Sequence[Finding], not_run: Sequence[NotRun], skies: Sequence[Footprint]
) -> str:
    """Return a report as a page.

    All text from the catalog is escaped, and the content security policy only allows the script of
    the page itself.

    Parameters
    ----------
    verdict : Verdict
    findings : sequence of Finding
    not_run : sequence of NotRun
    skies : sequence of Footprint
        The tiles of the catalogs that were validated.

    Returns
    -------
    str
    """
    policy = (
        f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    name = verdict.path.rstrip("/").rpartition("/")[2] or verdict.path
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(name)}: {_verdict_text(verdict)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        _header(verdict),
        _skies(skies, findings),
        _findings(findings),
        _not_run(not_run),
        f"<footer>hatsformat {__version__}</footer>",
        f"<script>{SCRIPT}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _text(text: str) -> str:
    """Escape text for the page."""
    return escape(visible(text))


def _prose(text: str) -> str:
    """Return a text of the specification, with code in backticks marked up."""
    parts = _text(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _verdict_text(verdict: Verdict) -> str:
    return "valid" if verdict.valid else "not valid"


def _header(verdict: Verdict) -> str:
    summary = verdict.summary
    counts = "".join(
        f'<li class="{kind}"><b>{summary[kind]}</b> {_one(kind, summary[kind])}</li>' for kind in _SEVERITIES
    )
    return (
        f'<header><h1>{_text(verdict.path)}</h1><p class="verdict {"good" if verdict.valid else "error"}">'
        f"{_verdict_text(verdict)}</p><p>edition {_text(verdict.edition)} of the note, level "
        f'{_text(verdict.level)}</p><ul class="counts">{counts}'
        f"<li><b>{summary['passed']}</b> checks passed</li>"
        f"<li><b>{summary['not_run']}</b> not run</li></ul></header>"
    )


def _one(kind: str, count: int) -> str:
    return kind if count == 1 else _NAMES[kind]


def _skies(skies: Sequence[Footprint], findings: Sequence[Finding]) -> str:
    pictures = [_sky(footprint, number, findings) for number, footprint in enumerate(skies)]
    if not pictures:
        return ""
    legend = "".join(f'<li class="{kind}">{kind}</li>' for kind in ("sound", "info", "warning", "error"))
    return (
        "<section><h2>Tiles</h2>" + "".join(pictures) + f'<ul class="legend">{legend}</ul>'
        "<p>Mollweide projection; right ascension is 0 in the middle and increases to the left. The colour "
        "of a tile shows the worst finding of its leaf.</p></section>"
    )


def _sky(footprint: Footprint, number: int, findings: Sequence[Finding]) -> str:
    tiles = mark(footprint, findings)
    total, faulty = len(tiles), int(tiles.faulty.sum())
    shown = coarsen(tiles)
    title = f"{total} {'tile' if total == 1 else 'tiles'}, {faulty} with findings"
    if footprint.member:
        title = f"{visible(footprint.member)}: {title}"
    caption = escape(title) + _caption(shown, total)
    return f"<figure>{draw_sky(shown, title, number)}<figcaption>{caption}</figcaption></figure>"


def _caption(shown: Tiles, total: int) -> str:
    if len(shown) == total:
        return ""
    order = int(shown.orders.max())
    return f"; drawn at order {order} or coarser, because there are more than {SHAPES} tiles"


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<section><h2>Findings</h2><p>None.</p></section>"
    boxes = "".join(
        f'<label class="{kind}"><input type="checkbox" name="severity" value="{kind}" checked> {kind}</label>'
        for kind in _SEVERITIES
        if any(finding.severity == kind for finding in findings)
    )
    search = '<input type="search" name="words" placeholder="rule, file, words" aria-label="Filter">'
    form = f'<form id="filter" hidden>{boxes}{search}<output></output></form>'
    return f"<section><h2>Findings</h2>{form}{''.join(map(_finding, findings))}</section>"


def _finding(finding: Finding) -> str:
    rule = requirements().get(finding.rule)
    count = f" ({finding.count} locations)" if finding.count > 1 else ""
    return (
        f'<details class="finding {finding.severity}" data-severity="{finding.severity}"'
        f"{' open' if finding.severity == 'error' and finding.count < 10 else ''}>"
        f'<summary><span class="badge">{finding.severity}</span> <b>{_text(finding.rule)}</b> '
        f"{_text(finding.message)}{count}</summary>{_rule(rule)}"
        f"<p><b>How to fix it:</b> {_prose(finding.fix)} (Note, section {_text(finding.section)})</p>"
        f"{_departures(finding)}</details>"
    )


def _rule(rule: Requirement | None) -> str:
    if rule is None:
        return ""
    quote = f"<blockquote>{_text(rule.quote)}</blockquote>" if rule.quote else ""
    why = f"<p><b>Why it matters:</b> {_prose(rule.why)}</p>" if rule.why else ""
    return f"<p><b>{rule.level}:</b> {_prose(rule.summary)}</p>{quote}{why}"


def _departures(finding: Finding) -> str:
    rows = "".join(_departure(departure) for departure in finding.departures[:MOST_SHOWN])
    more = finding.count - MOST_SHOWN
    rest = f"<p>and {more} more: the JSON report lists all of them</p>" if more > 0 else ""
    head = "<tr><th>where</th><th>found</th><th>expected</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>{rest}"


def _departure(departure: Departure) -> str:
    cells = (str(departure.location), departure.actual or "", departure.expected or "")
    return f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in cells)}</tr>"


def _not_run(items: Sequence[NotRun]) -> str:
    by_reason: dict[tuple[str | None, str], list[str]] = {}
    for item in items:
        by_reason.setdefault((item.path, item.reason), []).append(item.rule)
    if not by_reason:
        return ""
    rows = "".join(
        f"<tr><td>{_text(path or '.')}</td><td>{_text(reason)}</td><td>{_text(', '.join(rules))}</td></tr>"
        for (path, reason), rules in by_reason.items()
    )
    head = "<tr><th>where</th><th>reason</th><th>rules</th></tr>"
    return (
        "<section><h2>Not run</h2><p>These checks could not run or were disabled; they "
        f"have not passed.</p><table><thead>{head}</thead><tbody>{rows}</tbody></table></section>"
    )
