"""`rollguard completion`: the script that completes commands and options in a shell."""

from __future__ import annotations

from typing import Literal

from rollguard.cli import exits, output
from rollguard.cli.main import build


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print the completion script of a shell, to be sourced or put where the shell looks for it.

    bash: source <(rollguard completion bash). zsh: rollguard completion zsh > a file named _rollguard in $fpath.
    fish: rollguard completion fish > ~/.config/fish/completions/rollguard.fish.

    Parameters
    ----------
    shell
        bash, zsh or fish.
    """
    output.say(build().generate_completion(prog_name="rollguard", shell=shell))
    return exits.OK
