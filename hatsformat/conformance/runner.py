"""Running another validator on the cases, and judging what it says."""

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
from hatsformat.conformance.judge import SEVERITIES, compare, places_of
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
    """How a validator is called.

    Attributes
    ----------
    words : tuple of str
        The program and its arguments; ``{path}``, ``{level}`` and ``{edition}`` in them stand for the case's.
    timeout : float
        Seconds after which the program, and what it started, is killed.
    least : {"info", "warning", "error"}
        The least severe findings that it is expected to tell of.
    """

    words: tuple[str, ...]
    timeout: float = 60.0
    least: str = "info"

    @classmethod
    def parse(cls, text: str, timeout: float = 60.0, least: str = "info") -> Command:
        """Make one from a command line, which no shell ever sees.

        Raises
        ------
        UsageError
            If it is not well formed, has no ``{path}``, or names a program that is not there.
        """
        try:
            words = tuple(shlex.split(text))
        except ValueError as error:
            raise UsageError(f"the command cannot be read: {error}", found=text) from error
        if not any("{path}" in word for word in words[1:]):
            raise UsageError("the command has no place for the path", found=text, expected="tool {path}")
        if shutil.which(words[0]) is None:
            raise UsageError("there is no such program", found=words[0])
        if timeout <= 0 or least not in SEVERITIES:
            raise UsageError("a timeout is more than 0, and a severity one of " + ", ".join(SEVERITIES))
        return cls(words, timeout, least)

    def suits(self, case: Case) -> bool:
        """Whether the validator can be asked as the case needs: at another level or edition only if told."""
        text = " ".join(self.words)
        return (case.level == "rows" or "{level}" in text) and (case.edition == "1.0" or "{edition}" in text)

    def fill(self, item: Materialized) -> list[str]:
        """Return the words for a case."""
        values = (str(item.path), item.case.level, item.case.edition)
        pairs = dict(zip(_PLACEHOLDERS, values, strict=True))
        # At once, so that a path that has such a word in it stays as it is.
        pattern = re.compile("|".join(map(re.escape, _PLACEHOLDERS)))
        return [pattern.sub(lambda found: pairs[found[0]], word) for word in self.words]


@dataclass(frozen=True, slots=True)
class Result:
    """What a validator made of a case.

    Attributes
    ----------
    case : Case
    outcome : str
        ``caught`` or ``passed`` where it was right about a faulty or a sound case; ``undecided`` where an
        exit code cannot say whether it saw a warning; else ``missed``, ``false alarm`` or ``crashed``.
    detail : str
        Why.
    reads : {"findings", "exit code"}
        What it was judged by.
    missed, unexpected : tuple of Expected
        The places it did not find, and those it should not have.
    """

    case: Case
    outcome: Outcome
    detail: str = ""
    reads: str = "exit code"
    missed: tuple[Expected, ...] = ()
    unexpected: tuple[Expected, ...] = ()

    @property
    def right(self) -> bool:
        """Whether the validator was not wrong."""
        return self.outcome in ("caught", "passed", "undecided")

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "case": self.case.id,
            "title": self.case.title,
            "verdict": self.case.verdict,
            "outcome": self.outcome,
            "detail": self.detail,
            "reads": self.reads,
            "missed": [place.to_dict() for place in self.missed],
            "unexpected": [place.to_dict() for place in self.unexpected],
        }


def run_cases(
    command: Command,
    cases: Sequence[Case],
    *,
    jobs: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[Result]:
    """Run a validator on cases, each a tree of its own that is removed after it.

    Parameters
    ----------
    command : Command
    cases : sequence of Case
    jobs : int
        How many run at the same time.
    progress : callable, optional
        Called with a stage's name, the cases done and the cases in all.

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
                return judge_run(item, command, _call(command.fill(item), command.timeout))
            finally:
                shutil.rmtree(root / case.id, ignore_errors=True)

        with ThreadPoolExecutor(max(1, jobs)) as threads:
            for number, result in enumerate(threads.map(run, cases), 1):
                if progress is not None:
                    progress("cases", number, len(cases))
                yield result


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit code, None where it was killed for its time, and what it wrote."""

    code: int | None
    output: bytes
    errors: bytes


def _call(words: Sequence[str], timeout: float) -> Ended:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True
            )
        except OSError as error:
            raise UsageError(f"the program cannot be started: {error.strerror}", found=words[0]) from error
        code: int | None
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            # Also what it left behind: a session of its own is a group of its own.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return Ended(code, _start_of(output), _start_of(errors))


def _start_of(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read(_OUTPUT_LIMIT)


def judge_run(item: Materialized, command: Command, ended: Ended) -> Result:
    """Judge how a program ended on a case.

    A program that writes a JSON object with a list ``findings`` to standard output is judged by these, any
    other by its exit code: 0 for a sound catalog, another for an invalid one, and either for one with no more
    than warnings.
    """
    if (why := _crash(ended, command.timeout)) is not None:
        return Result(item.case, "crashed", why)
    report = _report(ended.output)
    if report is None:
        return _judge_code(item.case, ended.code or 0)
    result = compare(item.findings, places_of(report), command.least)
    if result.missed:
        outcome: Outcome = "missed"
    elif result.unexpected:
        outcome = "false alarm"
    else:
        outcome = "caught" if result.found else "passed"
    detail = "; ".join(
        f"{word}: {', '.join(str(place) for place in places[:3])}{' …' if len(places) > 3 else ''}"
        for word, places in (("not found", result.missed), ("unexpected", result.unexpected))
        if places
    )
    return Result(item.case, outcome, detail, "findings", result.missed, result.unexpected)


def _judge_code(case: Case, code: int) -> Result:
    detail = f"exit code {code}"
    if case.verdict == "invalid":
        return Result(case, "caught" if code else "missed", detail)
    if case.verdict == "remarks":
        return Result(case, "undecided", detail)
    return Result(case, "false alarm" if code else "passed", detail)


def _crash(ended: Ended, timeout: float) -> str | None:
    """Return how a program crashed, or None where it did not."""
    if ended.code is None:
        return f"killed after {timeout:g} s"
    if ended.code < 0:
        with suppress(ValueError):
            return f"signal {signal.Signals(-ended.code).name}"
        return f"signal {-ended.code}"
    if _PANICS.search(ended.errors):
        lines = ended.errors.decode("utf-8", "replace").strip().splitlines()
        is_python = any(line.startswith("Traceback") for line in lines)
        return lines[-1 if is_python else 0][:200]
    return None


def _report(output: bytes) -> Mapping[str, Any] | None:
    try:
        report = json.loads(output)
        places_of(report)
    except (ValueError, AttributeError, RecursionError):
        return None
    return report if isinstance(report, Mapping) else None


def count_outcomes(results: Sequence[Result]) -> dict[str, int]:
    """Return how many cases had each outcome."""
    counts = Counter(result.outcome for result in results)
    return {outcome: counts[outcome] for outcome in OUTCOMES}
