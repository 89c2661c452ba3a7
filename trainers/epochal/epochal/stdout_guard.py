"""Keeps stdout clean for the verbs whose answer is read from it.

`describe` and `check` print one JSON document on stdout, and whoever asked parses all of it. An import that prints
would spoil that, and a trainer's imports run before its `main()`, so the guard is installed when the SDK is imported:
file descriptor 1 becomes stderr, and the answer is written to a copy of the real one.
"""

import os
import sys

VERBS = ("describe", "check")

_answer_fd: int | None = None


def install() -> None:
    """For `trainer.py describe` and `trainer.py check`: send everything but the answer to stderr."""
    global _answer_fd
    if _answer_fd is None and len(sys.argv) == 2 and sys.argv[1] in VERBS:
        sys.stdout.flush()
        _answer_fd = os.dup(1)
        os.set_inheritable(_answer_fd, False)
        os.dup2(2, 1)


def answer(text: str) -> None:
    """Write the one line that stdout is for."""
    rest = text.encode() + b"\n"
    while rest:
        rest = rest[os.write(1 if _answer_fd is None else _answer_fd, rest) :]
