"""A release in which a fifth of the answers take 5.5 s: P95 over 5 s, judged as the share above 5 s, is undone."""

from lab.scenarios.stage import Stage

NAME = "text-to-speech"


async def play(stage: Stage) -> None:
    """No answer is an error: only the histogram shows it."""
    await stage.guarded(NAME, rps=40)
    await stage.release(NAME, "v2-slow-5500ms-20pct-noerrors")
    rollout = await stage.until_undone(NAME)
    plan = rollout["plan"]
    stage.expect("latency" in plan["reason"] and "longer than 5s" in plan["reason"], f"the reason: {plan['reason']}")
