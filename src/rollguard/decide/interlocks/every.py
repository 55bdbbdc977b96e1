"""The one ordered list of interlocks, and what each leads to where it forbids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollguard.decide.interlocks.annotations_only import annotations_only
from rollguard.decide.interlocks.automatic_part import automatic_part
from rollguard.decide.interlocks.blind import blind
from rollguard.decide.interlocks.clock import clock_off
from rollguard.decide.interlocks.config_changed import config_changed
from rollguard.decide.interlocks.declined import declined
from rollguard.decide.interlocks.digest_moved import digest_moved
from rollguard.decide.interlocks.fleet_limit import fleet_limit
from rollguard.decide.interlocks.frozen import frozen
from rollguard.decide.interlocks.gitops import gitops_owner
from rollguard.decide.interlocks.healthy_before import healthy_before
from rollguard.decide.interlocks.helm import helm_pending
from rollguard.decide.interlocks.idle_colour import idle_colour
from rollguard.decide.interlocks.incomplete import facts_incomplete
from rollguard.decide.interlocks.migration import migration
from rollguard.decide.interlocks.migration_failed import migration_failed
from rollguard.decide.interlocks.no_target import no_target
from rollguard.decide.interlocks.not_worse import not_worse
from rollguard.decide.interlocks.nothing_beside import nothing_beside
from rollguard.decide.interlocks.outage import outage
from rollguard.decide.interlocks.past_before import past_before
from rollguard.decide.interlocks.paused import paused
from rollguard.decide.interlocks.planned_before import planned_before
from rollguard.decide.interlocks.quiet_window import quiet_window
from rollguard.decide.interlocks.recreate import recreate
from rollguard.decide.interlocks.refused_lately import refused_lately
from rollguard.decide.interlocks.registry import registry_trouble
from rollguard.decide.interlocks.same_images import same_images
from rollguard.decide.interlocks.shared import shared_resource
from rollguard.decide.interlocks.stale import stale_status
from rollguard.decide.interlocks.surroundings import lacking
from rollguard.decide.interlocks.window_closed import window_closed
from rollguard.decide.interlocks.workload_limit import workload_limit
from rollguard.model.action import DecisionKind, Standing
from rollguard.model.judgement import Verdict
from rollguard.model.situation import Situation
from rollguard.model.time import Instant

Check = Callable[[Situation, Verdict, Instant], Standing]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interlock:
    """A rule and the response that it leaves where it forbids: hold, ask or page."""

    check: Check
    leaves: DecisionKind = DecisionKind.HOLD
    known: bool = False
    """What it says was said by people, or to them, before."""


EVERY: tuple[Interlock, ...] = (
    Interlock(check=facts_incomplete),
    Interlock(check=stale_status),
    Interlock(check=clock_off),
    Interlock(check=blind),
    Interlock(check=frozen),
    Interlock(check=quiet_window),
    Interlock(check=paused),
    Interlock(check=declined, known=True),
    Interlock(check=planned_before, known=True),
    Interlock(check=refused_lately, known=True),
    Interlock(check=no_target),
    Interlock(check=healthy_before),
    Interlock(check=same_images),
    Interlock(check=annotations_only),
    Interlock(check=config_changed),
    Interlock(check=digest_moved),
    Interlock(check=gitops_owner),
    Interlock(check=helm_pending),
    Interlock(check=past_before),
    Interlock(check=not_worse),
    Interlock(check=nothing_beside),
    Interlock(check=outage),
    Interlock(check=registry_trouble),
    Interlock(check=lacking),
    Interlock(check=migration),
    Interlock(check=workload_limit),
    Interlock(check=fleet_limit),
    Interlock(check=migration_failed, leaves=DecisionKind.ASK),
    Interlock(check=shared_resource, leaves=DecisionKind.ASK),
    Interlock(check=recreate, leaves=DecisionKind.ASK),
    Interlock(check=automatic_part, leaves=DecisionKind.ASK),
    Interlock(check=window_closed, leaves=DecisionKind.PAGE),
)

OF_EVERY_MEMBER: frozenset[Check] = frozenset(
    {
        facts_incomplete,
        stale_status,
        paused,
        no_target,
        config_changed,
        digest_moved,
        gitops_owner,
        helm_pending,
        migration,
    }
)
"""Those that ask what would come back, or whether it can: in a release set each member that goes back faces them."""
OF_THE_SET: frozenset[Check] = frozenset(
    {
        clock_off,
        frozen,
        quiet_window,
        declined,
        planned_before,
        refused_lately,
        workload_limit,
        fleet_limit,
        automatic_part,
        window_closed,
    }
)
"""Those that are asked of no member: people, limits and time stop a release set as a whole."""
OF_BOTH_COLOURS: frozenset[Check] = frozenset({gitops_owner, helm_pending})
"""Those about who applies the Deployments: in a release set they are asked of both colours of a member."""
IN_PLACE: frozenset[Check] = frozenset({recreate})
"""Those about a template that is put back in place: a colour that is switched back to keeps its pods."""
OF_IDLE_COLOUR: tuple[Interlock, ...] = (Interlock(check=idle_colour, leaves=DecisionKind.PAGE),)
"""All that a colour of a release set faces while it does not serve."""
