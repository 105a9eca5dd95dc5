"""The command group: it turns errors into exit codes and one line on standard error."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from hatsformat.errors import HatsError

DONE, INVALID, COULD_NOT_RUN = 0, 1, 2
INTERRUPTED = 130
"""The exit code that shells use for Ctrl-C."""
PIPE_CLOSED = 141
"""The exit code that shells use for a closed pipe."""


class Program(click.Group):
    """The group of all commands; it turns exceptions into exit codes and messages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order in which they were added."""
        return sorted(super().list_commands(ctx), key=list(self.commands).index)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line and, in standalone mode, exit."""
        code = self._run(args, prog_name or "hatsformat", complete_var, extra)
        if standalone_mode:
            sys.exit(code)
        return code

    def _run(
        self, args: Sequence[str] | None, name: str, complete_var: str | None, extra: dict[str, Any]
    ) -> int:
        try:
            code = super().main(args, name, complete_var, standalone_mode=False, **extra)
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.ctx.get_help(), err=True)
            return COULD_NOT_RUN
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else name
            message = error.format_message().rstrip(".")
            return _print_error(f"{message}{'' if message.endswith('?') else ';'} see: {command} --help")
        except click.ClickException as error:
            return _print_error(error.format_message())
        except HatsError as error:
            return _print_error(str(error))
        except (click.Abort, KeyboardInterrupt):
            _print_error("interrupted")
            return INTERRUPTED
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            return _print_error(f"{error.filename}: {reason}" if error.filename else reason)
        except MemoryError:
            return _print_error("out of memory")
        except SystemExit:
            return PIPE_CLOSED  # click exits by itself when the pipe is closed
        except BaseException as error:  # noqa: BLE001
            # A Rust panic is not an Exception, and Python's exit code 1 would mean an invalid catalog.
            traceback.print_exception(error)
            return _print_error(f"this is a bug in hatsformat: {type(error).__name__}: {error}")
        return code if isinstance(code, int) else DONE

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a pipe that was closed early, as by ``| head``, is not an error."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The interpreter flushes standard output once more when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(PIPE_CLOSED)
        return result


def _print_error(message: str) -> int:
    click.echo(f"hatsformat: error: {' '.join(message.split())}", err=True)
    return COULD_NOT_RUN
