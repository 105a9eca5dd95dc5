"""Python in a process of its own, which a chosen function kills as a crash or a lost power would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

EPOCH = "1700000000"
"""The date of what these processes write, for ``SOURCE_DATE_EPOCH``."""


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(module, name, call):
    """Let a function of a module be called `call` times, and die instead of the next."""
    real, calls = getattr(module, name), [0]

    def counted(*args, **kwargs):
        calls[0] += 1
        return die() if calls[0] > call else real(*args, **kwargs)

    setattr(module, name, counted)


def die_after(module, name):
    """Die once a function of a module has returned."""
    real = getattr(module, name)

    def then(*args, **kwargs):
        real(*args, **kwargs)
        die()

    setattr(module, name, then)


def run_python(code, *arguments):
    """Run code in a new process; it finds the arguments in ``json.loads(sys.argv[1])``."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), json.dumps(arguments)],
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
    )


def run_killed(code, *arguments):
    """Run code in a new process, which must not survive it."""
    done = run_python(code, *arguments)
    assert done.returncode == -signal.SIGKILL, done.stderr
