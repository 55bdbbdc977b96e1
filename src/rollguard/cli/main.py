"""The command line's entry: `rollguard`, or `kubectl rollguard` as a plugin. Commands are imported when they run."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Container, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from cyclopts import App, CycloptsError, Parameter

from rollguard.cli import exits

ABOUT = """Watches every rollout on a Kubernetes cluster, decides with evidence whether the new version is worse
than the old one, and puts the old one back by itself when it is.

Exit codes: 0 done, 1 the answer is no (mistakes, a refusal), 2 wrong usage or unreadable file,
3 the cluster did not answer, 130 interrupted. `wait` has its own: see `wait --help`.
"""

COMMANDS = {
    "init": ("rollguard.cli.init:init", "Look at a cluster and write a first policy, in mode observe."),
    "run": ("rollguard.cli.run:run", "Run the controller: guard the policy's workloads until stopped."),
    "status": ("rollguard.cli.status:status", "What is guarded, and how each rollout stands."),
    "why": ("rollguard.cli.why:why", "How each level and interlock of a rollout stands, and what would change it."),
    "history": ("rollguard.cli.history:history", "Past and present rollouts: what was done, or would have been."),
    "wait": ("rollguard.cli.wait:wait", "For pipelines: wait until the version just deployed is judged."),
    "approve": ("rollguard.cli.approve:approve", "Approve the rollback that the guard asks for."),
    "reject": ("rollguard.cli.approve:reject", "Reject it: the new version stays."),
    "ack": ("rollguard.cli.respond:ack", "Acknowledge a page, or one finding: you have seen it."),
    "investigate": ("rollguard.cli.respond:investigate", "Take it on: no time limit runs while you look into it."),
    "note": ("rollguard.cli.respond:note", "Write down what you found out; it stands in the incident."),
    "ticket": ("rollguard.cli.respond:ticket", "Make a ticket of a finding."),
    "watch": ("rollguard.cli.watch:watch", "The same as a live table, until Ctrl-C."),
    "doctor": ("rollguard.cli.doctor:doctor", "Every reason why the guard would not work here, and what to do."),
    "rollback": ("rollguard.cli.rollback:rollback", "Put the last good revision of a workload back."),
    "switch": ("rollguard.cli.switch:switch", "Switch a release set to its other colour, checked and guarded."),
    "freeze": ("rollguard.cli.freeze:freeze", "Leave a workload (or all) alone until a time."),
    "release": ("rollguard.cli.freeze:release", "Lift a freeze."),
    "render": (
        "rollguard.cli.render:render",
        "Write every file of the monitoring stack from the policy, or check them.",
    ),
    "install": ("rollguard.cli.install:install", "Print or apply all that a guard in the cluster consists of."),
    "uninstall": ("rollguard.cli.uninstall:uninstall", "Stop the guard and leave the cluster as it was."),
    "completion": ("rollguard.cli.completion:completion", "Print the completion script of a shell."),
    "demo": ("rollguard.cli.demo:demo", "A bad release is caught and undone, in a simulation."),
}
GROUPS = {
    "incident": (
        "Incidents: one per rollback or hold.",
        {
            "list": ("rollguard.cli.incident:list_", "All incidents that the cluster still holds."),
            "show": ("rollguard.cli.incident:show", "One incident as Markdown."),
            "report": ("rollguard.cli.incident:report", "One incident as Markdown, written to a file or printed."),
            "resolve": ("rollguard.cli.incident:resolve", "An incident is over: you say so."),
        },
    ),
    "notify": (
        "The channels by which people are told.",
        {"test": ("rollguard.cli.notify:test", "Send a marked test through each channel, and say which took it.")},
    ),
    "policy": (
        "The policy file.",
        {
            "check": ("rollguard.cli.policy:check", "Report all mistakes of a policy, with line and column."),
            "show": ("rollguard.cli.policy:show", "Print a policy with its preset and all defaults written out."),
            "schema": ("rollguard.cli.policy:schema", "Print the JSON Schema of a policy, for editors."),
        },
    ),
}


def program_name() -> str:
    """How this was called: `kubectl rollguard` where kubectl ran us as its plugin."""
    return "kubectl rollguard" if Path(sys.argv[0]).name.startswith("kubectl-") else "rollguard"


def build(named: Container[str] = ()) -> App:
    """The whole command tree, nothing of it imported yet.

    `named` has the words of a command line: a command that is among them shows the whole of its own help, which is
    its docstring; in lists of commands each has its summary, for which nothing is imported.
    """

    def summed(name: str, target: str, summary: str) -> str:
        return _whole(target) if name in named else summary

    app = App(
        name=program_name(),
        help=ABOUT,
        version=version("rollguard"),
        help_format="plaintext",
        default_parameter=Parameter(negative=()),
    )
    for name, (target, summary) in COMMANDS.items():
        app.command(target, name=name, help=summed(name, target, summary))
    for group, (about, commands) in GROUPS.items():
        inner = App(name=group, help=about)
        for name, (target, summary) in commands.items():
            inner.command(target, name=name, help=summed(name, target, summary))
        app.command(inner)
    return app


def _whole(target: str) -> str:
    """What the docstring of a command, `MODULE:FUNCTION`, says before its parameters: a line a paragraph."""
    module, _, function = target.partition(":")
    text = inspect.getdoc(getattr(import_module(module), function)) or ""
    paragraphs = text.partition("\nParameters\n")[0].strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def call(tokens: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    given = list(sys.argv[1:] if tokens is None else tokens)
    app = build(given)
    try:
        result = app(given, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return exits.UNREACHABLE if given[:1] == ["wait"] else exits.USAGE  # 2 is an answer of `wait`
    except exits.CommandError as problem:
        sys.stderr.write(f"error: {problem}\n")
        return problem.code
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        return exits.OK
    return result if isinstance(result, int) else exits.OK


def run() -> None:
    """The console script."""
    sys.exit(call())


if __name__ == "__main__":
    run()
