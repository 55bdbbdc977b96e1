"""Exit codes of every command (docs/commands.md)."""

from __future__ import annotations

OK = 0
PROBLEM = 1
"""The command worked and the answer is no: mistakes in a policy, a rollback refused or failed."""
USAGE = 2
"""Wrong flags, or a file that cannot be read."""
UNREACHABLE = 3
"""The cluster did not answer, or refused."""
INTERRUPTED = 130


class CommandError(Exception):
    """Ends a command with a message for people: what is wrong and what to do about it."""

    def __init__(self, message: str, code: int = PROBLEM) -> None:
        super().__init__(message)
        self.code = code
