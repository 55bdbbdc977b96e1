"""Jobs and bare pods that migrate the database, by their names; those that are gone are remembered."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase

import msgspec

from rollguard.adapters.kubernetes.objects import wire
from rollguard.adapters.kubernetes.objects.facts import instant, instant_or_none
from rollguard.model.facts import MigrationRun
from rollguard.model.time import Instant
from rollguard.record.names import ANNOTATION_COMPATIBLE

GONE = 64
"""Deleted runs that are remembered for each namespace."""
CRASHED = 2
"""Failed ends after which a pod that is restarted for ever counts as failed."""

_JOBS = msgspec.json.Decoder(wire.Job)
_PODS = msgspec.json.Decoder(wire.BarePod)


class Migrations:
    """All runs of the watched namespaces. `patterns` are globs on names; nothing is a migration without one."""

    def __init__(self, patterns: tuple[str, ...], now: Callable[[], Instant]) -> None:
        self.patterns = patterns
        self._now = now
        self._present: defaultdict[str, dict[str, MigrationRun]] = defaultdict(dict)
        self._gone: defaultdict[str, OrderedDict[str, MigrationRun]] = defaultdict(OrderedDict)

    def job(self, raw: msgspec.Raw) -> MigrationRun | None:
        """A Job that migrates; None for every other, and for one that has not begun because it is suspended."""
        found = _JOBS.decode(raw)
        meta, status = found.metadata, found.status
        if not self._named(meta.name) or (found.spec.suspend and status.start_time is None):
            return None
        conditions = {each.type: each for each in status.conditions or () if each.status == "True"}
        failed, complete = conditions.get("Failed"), conditions.get("Complete")
        ended = failed or complete
        when = status.completion_time or (ended.last_transition_time if ended is not None else None)
        return MigrationRun(
            kind="Job",
            name=meta.name,
            uid=meta.uid,
            started=instant(status.start_time or meta.creation_timestamp),
            finished=instant_or_none(when) if ended is not None else None,
            failed=failed is not None,
            backward_compatible=_marked(meta),
        )

    def pod(self, raw: msgspec.Raw) -> MigrationRun | None:
        """A pod without a controller that migrates, as `kubectl run` makes them; None for every other."""
        found = _PODS.decode(raw)
        meta, status = found.metadata, found.status
        if meta.controller() is not None or not self._named(meta.name):
            return None
        boxes = status.container_statuses or ()
        ends = [end for each in boxes if (end := each.state.terminated or each.last_state.terminated) is not None]
        # one that is restarted for ever (the default of `kubectl run`) never reaches a last phase
        crashed = any(end.exit_code for end in ends) and max(each.restart_count for each in boxes) >= CRASHED
        failed = status.phase == "Failed" or crashed
        done = bool(ends) and len(ends) == len(boxes) and all(end.exit_code == 0 for end in ends)
        times = [when for end in ends if (when := instant_or_none(end.finished_at)) is not None]
        started = instant(meta.creation_timestamp)
        return MigrationRun(
            kind="Pod",
            name=meta.name,
            uid=meta.uid,
            started=started,
            finished=max(times, default=started) if failed or done or status.phase == "Succeeded" else None,
            failed=failed,
            backward_compatible=_marked(meta),
        )

    def look_for(self, patterns: tuple[str, ...]) -> None:
        """Other names are migrations from now on: what is known is kept where its name still is one."""
        self.patterns = patterns
        for runs in (*self._present.values(), *self._gone.values()):
            for uid in [uid for uid, run in runs.items() if not self._named(run.name)]:
                del runs[uid]

    def changed(self, namespace: str, old: MigrationRun | None, new: MigrationRun | None) -> None:
        """Takes a change in; what was deleted before it had ended has ended now, well or not."""
        if old is not None and (new is None or new.uid != old.uid):
            self._present[namespace].pop(old.uid, None)
            if self._named(old.name):
                self._went(namespace, old)
        if new is not None and self._named(new.name):  # it may have been read under the names of before
            self._present[namespace][new.uid] = new
            self._gone[namespace].pop(new.uid, None)

    def listed_afresh(self, namespace: str) -> None:
        """The copies of a namespace begin anew: what they do not show again was deleted meanwhile."""
        for run in self._present.pop(namespace, {}).values():
            self._went(namespace, run)

    def _went(self, namespace: str, run: MigrationRun) -> None:
        gone = self._gone[namespace]
        gone[run.uid] = run if run.finished is not None else replace(run, finished=self._now())
        if len(gone) > GONE:
            gone.popitem(last=False)

    def of(self, namespace: str) -> tuple[MigrationRun, ...]:
        """All of a namespace that are known, by start."""
        runs = (*self._gone[namespace].values(), *self._present[namespace].values())
        return tuple(sorted(runs, key=lambda run: (run.started, run.name)))

    def forget(self, namespace: str) -> None:
        """Nobody watches this namespace any more."""
        self._present.pop(namespace, None)
        self._gone.pop(namespace, None)

    def _named(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)


def _marked(meta: wire.Meta) -> bool:
    return (meta.annotations or {}).get(ANNOTATION_COMPATIBLE) == "true"
