"""Running any validator on the cases and comparing its results with the expected ones."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from hatsformat.conformance.corpus import Case, Expected
from hatsformat.conformance.judge import SEVERITIES, compare, findings_of
from hatsformat.conformance.materialize import Materialized, materialize_case
from hatsformat.errors import UsageError

Outcome = Literal["caught", "passed", "undecided", "missed", "false alarm", "crashed"]
OUTCOMES: tuple[Outcome, ...] = ("caught", "passed", "undecided", "missed", "false alarm", "crashed")

_OUTPUT_LIMIT = 1 << 24
_PANICS = re.compile(
    rb"^Traceback \(most recent call last\)|^thread '.*' panicked at|^panic: |^Exception in thread |"
    rb"^Segmentation fault|AddressSanitizer",
    re.MULTILINE,
)
_PLACEHOLDERS = ("{path}", "{level}", "{edition}")


@dataclass(frozen=True, slots=True)
class Command:
    """The command line of a validator.

    Attributes
    ----------
    words : tuple of str
        The program and its arguments. ``{path}``, ``{level}`` and ``{edition}`` are replaced by those of the
        case.
    timeout : float
        Seconds after which the program and its child processes are killed.
    least : {"info", "warning", "error"}
        The lowest severity of the findings to compare.
    """

    words: tuple[str, ...]
    timeout: float = 60.0
    least: str = "info"

    @classmethod
    def parse(cls, text: str, timeout: float = 60.0, least: str = "info") -> Command:
        """Parse a command line; no shell is used.

        Raises
        ------
        UsageError
            If the command line is malformed or has no ``{path}``, or the program does not exist.
        """
        try:
            words = tuple(shlex.split(text))
        except ValueError as error:
            raise UsageError(f"cannot parse the command: {error}", found=text) from error
        if not any("{path}" in word for word in words[1:]):
            raise UsageError(
                "the command has no {path}", found=text, expected="a command such as: tool {path}"
            )
        if shutil.which(words[0]) is None:
            raise UsageError("no such program", found=words[0])
        if timeout <= 0:
            raise UsageError("the timeout must be more than 0 seconds", found=timeout)
        if least not in SEVERITIES:
            raise UsageError("unknown severity", found=least, expected=", ".join(SEVERITIES))
        return cls(words, timeout, least)

    def can_run(self, case: Case) -> bool:
        """Whether the command can set the level and edition of the case, if they are not the defaults."""
        text = " ".join(self.words)
        return (case.level == "rows" or "{level}" in text) and (case.edition == "1.0" or "{edition}" in text)

    def fill(self, item: Materialized) -> list[str]:
        """Return the words with the placeholders replaced for a case."""
        values = (str(item.path), item.case.level, item.case.edition)
        pairs = dict(zip(_PLACEHOLDERS, values, strict=True))
        # In one step, so that a placeholder inside a path is not replaced.
        pattern = re.compile("|".join(map(re.escape, _PLACEHOLDERS)))
        return [pattern.sub(lambda found: pairs[found[0]], word) for word in self.words]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a validator on a case.

    Attributes
    ----------
    case : Case
    outcome : str
        ``caught`` or ``passed`` if the validator is right about a case with or without findings;
        ``undecided`` if the case has only warnings or infos and the validator gives only an exit code;
        otherwise ``missed``, ``false alarm`` or ``crashed``.
    detail : str
        The reason.
    reads : {"findings", "exit code"}
        What was compared.
    missed, unexpected : tuple of Expected
        The findings that were not reported, and those that should not have been.
    """

    case: Case
    outcome: Outcome
    detail: str = ""
    reads: str = "exit code"
    missed: tuple[Expected, ...] = ()
    unexpected: tuple[Expected, ...] = ()

    @property
    def right(self) -> bool:
        """Whether the validator is not wrong about the case."""
        return self.outcome in ("caught", "passed", "undecided")

    def to_dict(self) -> dict[str, Any]:
        """Return the result as data for JSON."""
        return {
            "case": self.case.id,
            "title": self.case.title,
            "verdict": self.case.verdict,
            "outcome": self.outcome,
            "detail": self.detail,
            "reads": self.reads,
            "missed": [finding.to_dict() for finding in self.missed],
            "unexpected": [finding.to_dict() for finding in self.unexpected],
        }


def run_cases(
    command: Command,
    cases: Sequence[Case],
    *,
    jobs: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[Result]:
    """Run a validator on cases. Each case is written to a temporary folder and removed afterwards.

    Parameters
    ----------
    command : Command
    cases : sequence of Case
    jobs : int
        Number of cases to run in parallel.
    progress : callable, optional
        Called with the name of the stage, the cases done and the number of cases.

    Yields
    ------
    Result
        In the order of the cases.
    """
    with tempfile.TemporaryDirectory(prefix="hatsformat-conformance-") as folder:
        root = Path(folder)

        def run(case: Case) -> Result:
            item = materialize_case(case, root)
            try:
                return judge_run(item, command, _run_program(command.fill(item), command.timeout))
            finally:
                shutil.rmtree(root / case.id, ignore_errors=True)

        with ThreadPoolExecutor(max(1, jobs)) as threads:
            for count, result in enumerate(threads.map(run, cases), 1):
                if progress is not None:
                    progress("cases", count, len(cases))
                yield result


@dataclass(frozen=True, slots=True)
class Completed:
    """The exit code of a program (None if it was killed after the timeout) and its output."""

    code: int | None
    output: bytes
    errors: bytes


def _run_program(words: Sequence[str], timeout: float) -> Completed:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True
            )
        except OSError as error:
            raise UsageError(f"cannot start the program: {error.strerror}", found=words[0]) from error
        code: int | None
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            # Also kill its child processes: they are in the same process group.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return Completed(code, _start_of(output), _start_of(errors))


def _start_of(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read(_OUTPUT_LIMIT)


def judge_run(item: Materialized, command: Command, completed: Completed) -> Result:
    """Compare the result of a program on a case with the expected one.

    If the program printed a JSON object with a list ``findings``, these are compared. Otherwise its exit code
    is: it must be 0 for a catalog without findings and not 0 for an invalid one. For a catalog with only
    warnings or infos, any exit code is accepted.
    """
    if (why := _crash(completed, command.timeout)) is not None:
        return Result(item.case, "crashed", why)
    report = _report(completed.output)
    if report is None:
        return _judge_code(item.case, completed.code or 0)
    result = compare(item.findings, findings_of(report), command.least)
    if result.missed:
        outcome: Outcome = "missed"
    elif result.unexpected:
        outcome = "false alarm"
    else:
        outcome = "caught" if result.found else "passed"
    detail = "; ".join(
        f"{label}: {', '.join(map(str, findings[:3]))}{' …' if len(findings) > 3 else ''}"
        for label, findings in (("not found", result.missed), ("unexpected", result.unexpected))
        if findings
    )
    return Result(item.case, outcome, detail, "findings", result.missed, result.unexpected)


def _judge_code(case: Case, code: int) -> Result:
    detail = f"exit code {code}"
    if case.verdict == "invalid":
        return Result(case, "caught" if code else "missed", detail)
    if case.verdict == "remarks":
        return Result(case, "undecided", detail)
    return Result(case, "false alarm" if code else "passed", detail)


def _crash(completed: Completed, timeout: float) -> str | None:
    """Return how a program crashed, or None if it did not."""
    if completed.code is None:
        return f"killed after {timeout:g} s"
    if completed.code < 0:
        with suppress(ValueError):
            return f"signal {signal.Signals(-completed.code).name}"
        return f"signal {-completed.code}"
    if _PANICS.search(completed.errors):
        lines = completed.errors.decode("utf-8", "replace").strip().splitlines()
        is_python = any(line.startswith("Traceback") for line in lines)
        return lines[-1 if is_python else 0][:200]
    return None


def _report(output: bytes) -> Mapping[str, Any] | None:
    try:
        report = json.loads(output)
        findings_of(report)
    except (ValueError, AttributeError, RecursionError):
        return None
    return report if isinstance(report, Mapping) else None


def count_outcomes(results: Sequence[Result]) -> dict[str, int]:
    """Return the number of cases with each outcome."""
    counts = Counter(result.outcome for result in results)
    return {outcome: counts[outcome] for outcome in OUTCOMES}
