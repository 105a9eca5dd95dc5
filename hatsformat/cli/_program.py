"""How every command ends: an exit code, and for an error one line on standard error."""

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
"""As a shell reports a program that was interrupted."""
PIPE_CLOSED = 141
"""As a shell reports a program whose reader went away."""


class Program(click.Group):
    """The group of all commands; turns what they raise into exit codes and messages."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line and, unless told otherwise, exit."""
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
            return _complain(f"{error.format_message().rstrip('.')}; see: {command} --help")
        except click.ClickException as error:
            return _complain(error.format_message())
        except HatsError as error:
            return _complain(str(error))
        except (click.Abort, KeyboardInterrupt):
            _complain("interrupted")
            return INTERRUPTED
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            return _complain(f"{error.filename}: {reason}" if error.filename else reason)
        except MemoryError:
            return _complain("out of memory")
        except SystemExit:
            return PIPE_CLOSED  # click's own answer to a closed pipe
        except BaseException as error:  # noqa: BLE001
            # A Rust panic is no Exception; and Python's own exit code 1 would mean an invalid catalog.
            traceback.print_exception(error)
            return _complain(f"this is a bug in hatsformat: {type(error).__name__}: {error}")
        return code if isinstance(code, int) else DONE

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that went away, as in ``| head``, is no error."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The interpreter flushes standard output once more when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(PIPE_CLOSED)
        return result


def _complain(message: str) -> int:
    click.echo(f"hatsformat: error: {' '.join(message.split())}", err=True)
    return COULD_NOT_RUN
