"""Which policy counts: the one in force, and those that open rollouts began with.

The one in force changes at the start of a tick alone, between two looks. What a rollout began with is kept in the
cluster by digest, so that the next leader goes on under it.
"""

from __future__ import annotations

from collections.abc import Iterable

from rollguard.loop.leader import Gate, LeadershipLost
from rollguard.loop.settings import Log, Settings
from rollguard.model.action import Unknown
from rollguard.model.policy import Policy
from rollguard.model.records import PolicyStatus, RolloutRecord
from rollguard.model.time import Instant
from rollguard.ports import KeptPolicies, PolicyLost, PolicyReading, PolicySource

UNREAD_AFTER = 60.0
"""Seconds for which a kept policy may not be read before people are told."""
REPORTED = 32
"""Mistakes that the status of a policy object holds."""


class Policies:
    """Without a source the policy never changes; without `kept` an open rollout's policy is lost with the process."""

    def __init__(
        self,
        policy: Policy,
        *,
        source: PolicySource | None,
        kept: KeptPolicies | None,
        gate: Gate,
        settings: Settings,
        log: Log,
    ) -> None:
        self.present = policy
        """The policy in force."""
        self.mistakes: tuple[str, ...] = ()
        """Of the newest text, while an earlier policy stays in force because of them."""
        self.generation = 0
        """Of the object that the policy was read from last."""
        self._source = source
        self._kept = kept
        self._gate = gate
        self._settings = settings
        self._log = log
        self._known = {policy.digest: policy}
        self._lost: dict[str, str] = {}
        self._unread: dict[str, tuple[Instant, str]] = {}
        """Digests of kept policies that the server does not give, since when, and what it says."""
        self._stored = ""
        """Digest of the one that was kept last."""
        self._spare: frozenset[str] = frozenset()
        self._reported: PolicyStatus | None = None

    def of(self, rollout: RolloutRecord) -> Policy:
        """The policy that the rollout began with; the one in force where that is not known."""
        return self._known.get(rollout.policy_digest, self.present)

    def migrations(self) -> tuple[str, ...]:
        """The names of migrations in every policy that counts for somebody, sorted."""
        rules = (policy.migration for policy in self._known.values())
        return tuple(sorted({pattern for rule in rules if rule is not None for pattern in rule.patterns}))

    def known(self, rollout: RolloutRecord) -> bool:
        """Whether it is known what the rollout began with, or that this is lost."""
        return self._kept is None or rollout.policy_digest in self._known or rollout.policy_digest in self._lost

    def lost(self, rollout: RolloutRecord) -> str:
        """Why the policy that the rollout began with cannot be had any more; empty where it can."""
        if rollout.policy_digest in self._known:
            return ""
        return self._lost.get(rollout.policy_digest, "it was not kept")

    def unread(self, rollout: RolloutRecord, now: Instant) -> str:
        """What the server says of the policy that the rollout began with, where it has not given it for a minute: a
        server that restarts is no news. Empty where it has."""
        since, said = self._unread.get(rollout.policy_digest, (now, ""))
        return said if now.since(since) >= UNREAD_AFTER else ""

    def forget(self) -> None:
        """We do not lead (any more): others keep and drop policies from here on."""
        self._lost.clear()
        self._unread.clear()
        self._stored = ""
        self._spare = frozenset()
        self._reported = None

    async def refresh(self, rollouts: Iterable[RolloutRecord], now: Instant) -> bool:
        """Brings the newest good policy into force, and loads those that open rollouts began with.

        The one in force is kept in the cluster before a rollout can begin under it. True where another one is in force
        now.
        """
        needed = {rollout.policy_digest for rollout in rollouts if rollout.closed is None}
        await self._load(needed - self._known.keys() - self._lost.keys(), now)
        reading = self._source.latest() if self._source is not None else None
        newest = reading.policy if reading is not None and reading.policy is not None else self.present
        await self._store(newest)
        for digest in self._known.keys() - needed - {newest.digest, self.present.digest}:
            del self._known[digest]
        return reading is not None and self._take(reading)

    async def clean(self, rollouts: Iterable[RolloutRecord]) -> None:
        """Deletes what no open rollout needs, and did not need at the last cleaning either: a rollout that was being
        opened then is known by now."""
        if self._kept is None:
            return
        stored = await self._kept.digests(timeout=self._settings.request_timeout)
        if isinstance(stored, Unknown):
            self._log("kept-policies-not-listed", {"detail": stored.detail})
            return
        needed = {rollout.policy_digest for rollout in rollouts if rollout.closed is None}
        spare = frozenset(stored) - needed - {self.present.digest}
        for digest in sorted(spare & self._spare):
            self._gate.check(self._settings.request_timeout)
            await self._kept.drop(digest, timeout=self._settings.request_timeout)
        self._spare = spare

    async def report(self) -> None:
        """Says in the source what has become of what it says; raises LeadershipLost."""
        status = PolicyStatus(
            valid=not self.mistakes,
            digest=self.present.digest,
            mistakes=self.mistakes[:REPORTED],
            observed_generation=self.generation,
        )
        if self._source is None or status == self._reported:
            return
        self._gate.check(self._settings.request_timeout)
        outcome = await self._source.report(status, timeout=self._settings.request_timeout)
        if isinstance(outcome, Unknown):
            self._log("policy-status-not-written", {"detail": outcome.detail})
        else:
            self._reported = status

    async def _load(self, digests: set[str], now: Instant) -> None:
        if self._kept is None:
            return
        unread: dict[str, tuple[Instant, str]] = {}
        for digest in sorted(digests):
            found = await self._kept.load(digest, timeout=self._settings.request_timeout)
            if isinstance(found, Policy):
                self._known[digest] = found
            elif isinstance(found, PolicyLost):
                self._lost[digest] = found.detail
                self._log("policy-lost", {"digest": digest, "detail": found.detail})
            else:
                unread[digest] = (self._unread.get(digest, (now, ""))[0], found.detail)
                self._log("policy-not-read", {"digest": digest, "detail": found.detail})
        self._unread = unread

    async def _store(self, policy: Policy) -> None:
        """Keeps it where that was not done yet; what cannot be kept now is tried again at the next tick."""
        if self._kept is None or policy.digest == self._stored:
            return
        try:
            self._gate.check(self._settings.request_timeout)
        except LeadershipLost as error:
            self._log("policy-not-kept", {"digest": policy.digest, "detail": str(error)})
            return
        outcome = await self._kept.keep(policy, timeout=self._settings.request_timeout)
        if isinstance(outcome, Unknown):
            self._log("policy-not-kept", {"digest": policy.digest, "detail": outcome.detail})
        else:
            self._stored = policy.digest

    def _take(self, reading: PolicyReading) -> bool:
        self.generation = reading.generation
        if reading.mistakes != self.mistakes:
            self._log("policy-mistakes" if reading.mistakes else "policy-good-again", {"count": len(reading.mistakes)})
        self.mistakes = reading.mistakes
        policy = reading.policy
        if policy is None or policy.digest == self.present.digest:
            return False
        self._log("policy-changed", {"from": self.present.digest, "to": policy.digest, "name": policy.name})
        self.present = self._known[policy.digest] = policy
        return True
