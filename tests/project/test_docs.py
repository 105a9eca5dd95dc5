"""What the README and the pages of the documentation show is run, and must give what they say.

In a page, a ``pycon`` block is a Python session and a ``console`` block a shell session. All blocks of a
page share one folder, with the demo's ``hatsformat-demo`` in it, and one Python namespace. Blocks of other
kinds are only read.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hatsformat.demo import DemoOptions, run_demo

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SECONDS = 120


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    text: str
    line: int


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for found in re.finditer(r"^```([\w-]+)[^\n]*\n(.*?)^```\s*$", page, flags=re.MULTILINE | re.DOTALL):
        yield Block(found[1], found[2], page.count("\n", 0, found.start()) + 1)


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """The commands of a shell session, each with the output that is shown."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command = re.match(r"(?:[^\n]*\\\n)*[^\n]*\n?", part)
        assert command is not None
        yield command[0].replace("\\\n", " ").strip(), part[command.end() :]


def run_python(block: Block, page: Path, names: dict[str, object]) -> list[str]:
    """Run a Python session; return what differed."""
    session = doctest.DocTestParser().get_doctest(block.text, names, page.name, str(page), block.line)
    complaints: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(session, out=complaints.append, clear_globs=False)
    names.update(session.globs)
    return complaints


def run_shell(block: Block, page: Path, environment: dict[str, str]) -> list[str]:
    """Run a shell session; return what differed."""
    complaints = []
    for command, expected in commands(block):
        done = subprocess.run(
            ["bash", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            env=environment,
            check=False,
        )
        same = doctest.OutputChecker().check_output(expected, done.stdout, FLAGS)
        if done.returncode or not same:
            complaints.append(
                f"{page.name}:{block.line}: {command}\n"
                f"exit code {done.returncode}\n--- shown:\n{expected}--- printed:\n{done.stdout}"
            )
    return complaints


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "hatsformat-demo"
    run_demo(DemoOptions(folder, plot=False))
    return folder


@pytest.fixture
def environment(tmp_path):
    """An environment in which `hatsformat` is this one, installed or not."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "hatsformat"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hatsformat "$@"\n')
    program.chmod(0o755)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "100"}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_the_page_is_true(page, demo, environment, tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    shutil.copytree(demo, work / "hatsformat-demo")
    monkeypatch.chdir(work)
    names: dict[str, object] = {}
    complaints = []
    for block in blocks(page.read_text("utf-8")):
        if block.kind == "pycon":
            complaints += run_python(block, page, names)
        elif block.kind == "console":
            complaints += run_shell(block, page, environment)
    assert not complaints, "\n".join(complaints)


def test_a_wrong_page_is_found(environment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    text = "```pycon\n>>> 1 + 1\n3\n```\n\n```console\n$ echo a\na\n$ echo \\\nb\nc\n$ false\n```\n"
    python, shell = blocks(text)
    assert (python.line, shell.line) == (1, 6)
    assert len(run_python(python, page, {})) == 1
    wrong = run_shell(shell, page, environment)
    assert ["echo  b" in wrong[0], "false" in wrong[1], len(wrong)] == [True, True, 2]
