"""How the command line ends: exit codes, one line for an error, quiet when the reader goes away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import hatsformat
from hatsformat.cli import main
from hatsformat.cli._program import Program
from hatsformat.errors import NotFoundError, UsageError

COMMANDS = [
    "import",
    "append",
    "rebuild",
    "info",
    "query",
    "margin",
    "index",
    "collection",
    "validate",
    "rules",
    "plot",
    "demo",
    "conformance",
]


class Panic(BaseException):
    """What a Rust library raises: no Exception."""


def program_that_raises(error):
    @click.group(cls=Program)
    def program():
        """A program."""

    @program.command()
    def fail():
        """Fail."""
        raise error

    return program


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UsageError("no such\nthing", path="a/b"), 2, "a/b: no such thing"),
        (NotFoundError("no such file", path="x"), 2, "x: no such file"),
        (PermissionError(13, "Permission denied", "/x/y"), 2, "/x/y: Permission denied"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (OSError("odd"), 2, "odd"),
        (TimeoutError(), 2, "TimeoutError"),
        (MemoryError(), 2, "out of memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.ClickException("a click error"), 2, "a click error"),
        (click.UsageError("No such option: --x."), 2, "No such option: --x; see: program fail --help"),
    ],
)
def test_an_expected_error_is_one_line_on_standard_error(error, code, message):
    result = CliRunner().invoke(program_that_raises(error), ["fail"])
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.strip() == f"hatsformat: error: {message}"


@pytest.mark.parametrize("error", [RuntimeError("surprise"), Panic("surprise")])
def test_a_bug_is_not_taken_for_an_invalid_catalog(error):
    result = CliRunner().invoke(program_that_raises(error), ["fail"])
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].endswith(
        f"this is a bug in hatsformat: {type(error).__name__}: surprise"
    )


def test_a_command_may_choose_its_exit_code():
    @click.group(cls=Program)
    def program():
        """A program."""

    @program.command()
    @click.pass_context
    def invalid(context):
        """Say that it is invalid."""
        context.exit(1)

    assert CliRunner().invoke(program, ["invalid"]).exit_code == 1


def test_without_a_command_the_help_is_shown_as_an_error():
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


def test_version():
    result = CliRunner().invoke(main, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"hatsformat, version {hatsformat.__version__}\n")


def test_help_names_every_command():
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert all(f"\n  {name} " in result.stdout for name in COMMANDS)
    assert list(main.commands) == COMMANDS


def test_the_readme_lists_every_command_in_the_same_order():
    readme = Path(__file__).resolve().parents[2].joinpath("README.md").read_text("utf-8")
    rows = [line.split()[2] for line in readme.splitlines() if line.startswith("| `hatsformat ")]
    assert rows == COMMANDS


@pytest.mark.parametrize("arguments", [["--help"], ["conformance", "--help"]])
def test_the_lists_of_commands_fit_80_columns(arguments):
    result = CliRunner().invoke(main, arguments, terminal_width=80)
    commands = result.stdout.partition("Commands:\n")[2].splitlines()
    group = main.commands["conformance"] if arguments[0] == "conformance" else main
    assert [line.split()[0] for line in commands] == list(group.commands)
    assert all(len(line) <= 80 and line.endswith(".") and not line.endswith("..") for line in commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_explains_itself_in_sentences(name):
    command = main.commands[name]
    commands = [command, *getattr(command, "commands", {}).values()]
    helps = [
        option.help.partition("  [default")[0]
        for one in commands
        for option in one.params
        if isinstance(option, click.Option)
    ]
    assert all(text[0].isupper() and text.endswith(".") for text in helps), helps


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [(["info", "x", "--jsn"], "--json"), (["import", "a", "--max-row", "5"], "--max-rows")],
)
def test_an_unknown_option_suggests_another(arguments, meant):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "No such option" in result.stderr
    assert meant in result.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name):
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert f"\n    hatsformat {name}" in result.stdout
    undocumented = [
        option.name
        for option in main.commands[name].params
        if isinstance(option, click.Option) and not option.help
    ]
    assert undocumented == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--wrong"],
        ["wrong"],
        ["info", "x", "--wrong"],
        ["info"],
        ["query", "x", "--cone", "1", "2"],
        ["import", "a.csv"],
    ],
)
def test_a_wrong_command_line_is_one_line(arguments):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("hatsformat: error: ")
    assert "--help" in result.stderr


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom hatsformat.cli import main\nmain(['--help'], standalone_mode=False)\n"
        "print('LOADED', *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "LOADED" in loaded
    assert loaded & {"numpy", "pyarrow", "astropy", "rich", "pandas", "matplotlib"} == set()


@pytest.mark.parametrize("arguments", [["--help"], ["import", "--help"]])
def test_a_reader_that_goes_away_is_no_error(arguments):
    command = [sys.executable, "-m", "hatsformat", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        errors = process.stderr.read()
        code = process.wait(60)
    assert (code, errors) == (141, b"")
