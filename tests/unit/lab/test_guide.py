"""A page of the docs as a list of commands, and what counts as the same output."""

from __future__ import annotations

from lab.guide import alike, holds, steps, written

PAGE = """# A page

```console
$ rollguard status
NAMESPACE   WORKLOAD
production  a        5m
$ echo done
done
```

```yaml append=policy.yaml
  timing: {tick: 1s}
```

```
$ not a command
```
"""


def test_commands_and_appended_texts_are_found_in_order() -> None:
    found = steps(PAGE)
    assert [(step.command, step.file) for step in found] == [
        ("rollguard status", ""),
        ("echo done", ""),
        ("", "policy.yaml"),
    ]
    assert found[0].printed == ["NAMESPACE   WORKLOAD", "production  a        5m"]
    assert found[2].printed == ["  timing: {tick: 1s}"]


def test_figures_times_and_names_of_pods_may_differ_and_words_may_not() -> None:
    assert holds(
        ["2026-11-03T02:15:04Z pod translation-7bc54b5988-747bs ended 2 times, 14.1% of 2,176"],
        ["2026-12-01T11:00:59.250Z  pod translation-5f6d7b9c4d-x2z9k ended 3 times, 9% of 88"],
    )
    assert holds(["held by monitoring-9444f8bf-x294s_fb17a6a6"], ["held by monitoring-7c565d45f7-6b8f4_ba217a44"])
    assert not holds(["revision 2 was rolled back"], ["revision 2 is healthy"])
    assert not holds(["a", "b"], ["a"])
    assert not holds(["a"], ["a", "b"])


def test_dots_stand_for_any_lines() -> None:
    assert holds(["first", "...", "last"], ["first", "x", "y", "last"])
    assert holds(["first", "...", "last"], ["first", "last"])
    assert not holds(["first", "...", "last"], ["first", "x"])


def test_the_services_names_are_not_taken_for_hashes() -> None:
    assert alike("deployment.apps/speech-to-text image updated") == "deployment.apps/speech-to-text image updated"


def test_only_the_output_of_the_step_is_replaced() -> None:
    page = written(PAGE, steps(PAGE)[0], ["new"])
    assert "$ rollguard status\nnew\n$ echo done\ndone\n" in page
