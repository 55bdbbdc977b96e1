"""The state machine of a rollout under guard: (state, input) -> next state and effects. Pure; no effect happens here.

A notice is told by topic: the loop drops a topic that it has told already. `planned` is left by `PlanStored`,
`PlanRefused` or `PlanSuperseded` only: a loop that finds it without a plan after a restart makes the plan again.
"""

from rollguard.lifecycle.advancing import advance

__all__ = ["advance"]
