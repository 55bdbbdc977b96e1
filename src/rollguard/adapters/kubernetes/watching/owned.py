"""ReplicaSets, pods and events by what they belong to."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping

from rollguard.adapters.kubernetes.objects.facts import OwnedPod, OwnedRevision
from rollguard.adapters.kubernetes.watching.reflector import Change, Key
from rollguard.model.facts import ClusterEvent

REMEMBERED = 20_000
"""ReplicaSets that are gone but whose pods may still be there."""


class Owned:
    """The indexes by owner. `changed` is called with (namespace, Deployment's name)."""

    def __init__(self, changed: Callable[[str, str], None]) -> None:
        self._changed = changed
        self.revisions_of: defaultdict[str, dict[str, OwnedRevision]] = defaultdict(dict)
        """By the Deployment's uid, then by their own."""
        self.pods_of: defaultdict[str, dict[Key, OwnedPod]] = defaultdict(dict)
        """By the ReplicaSet's uid, then by namespace and name."""
        self.events_of: defaultdict[Key, dict[Key, ClusterEvent]] = defaultdict(dict)
        """By the pod's namespace and name, then by their own."""
        self._owner_of_set: dict[str, tuple[str, str, str]] = {}
        self._gone_sets: OrderedDict[str, None] = OrderedDict()
        self._sets: defaultdict[str, set[str]] = defaultdict(set)

    def sets_of(self, deployment: str) -> frozenset[str]:
        """Uids of the Deployment's ReplicaSets, those that are gone included."""
        return frozenset(self._sets.get(deployment, ()))

    def revision_changed(self, change: Change[OwnedRevision]) -> None:
        """Takes in a change of a ReplicaSet."""
        if change.old is not None:
            self.revisions_of[change.old.owner].pop(change.old.revision.uid, None)
            self._gone_sets[change.old.revision.uid] = None
        if change.new is not None:
            owned = change.new
            self.revisions_of[owned.owner][owned.revision.uid] = owned
            self._owner_of_set[owned.revision.uid] = (owned.owner, owned.namespace, owned.owner_name)
            self._sets[owned.owner].add(owned.revision.uid)
            self._gone_sets.pop(owned.revision.uid, None)
        while len(self._gone_sets) > REMEMBERED:
            self._forget_set(next(iter(self._gone_sets)))
        about = change.new or change.old
        if about is not None:
            self._changed(about.namespace, about.owner_name)

    def pod_changed(self, change: Change[OwnedPod]) -> None:
        """Takes in a change of a pod."""
        if change.old is not None:
            self.pods_of[change.old.owner].pop(change.key, None)
        if change.new is not None:
            self.pods_of[change.new.owner][change.key] = change.new
        about = change.new or change.old
        if about is not None:
            self._wake(about)

    def event_changed(self, change: Change[ClusterEvent], pods: Mapping[Key, OwnedPod]) -> None:
        """Takes in a change of an event about a pod, which may be one of the namespace's `pods`."""
        about = change.new or change.old
        if about is None:
            return
        key = (change.key[0], about.pod)
        if change.new is None:
            self.events_of[key].pop(change.key, None)
            return
        self.events_of[key][change.key] = change.new
        if (pod := pods.get(key)) is not None:
            self._wake(pod)

    def forget(self, namespace: str, revisions: Iterable[OwnedRevision], pods: Iterable[OwnedPod]) -> None:
        """Nobody watches this namespace, which had these, any more."""
        for owned in revisions:
            self.revisions_of.pop(owned.owner, None)
            self._forget_set(owned.revision.uid)
        for pod in pods:
            self.pods_of.pop(pod.owner, None)
        for key in [key for key in self.events_of if key[0] == namespace]:
            del self.events_of[key]

    def _wake(self, pod: OwnedPod) -> None:
        if pod.owner in self._owner_of_set:
            _, namespace, name = self._owner_of_set[pod.owner]
            self._changed(namespace, name)

    def _forget_set(self, uid: str) -> None:
        self._gone_sets.pop(uid, None)
        owner, _, _ = self._owner_of_set.pop(uid, ("", "", ""))
        self._sets[owner].discard(uid)
        if not self._sets[owner]:
            del self._sets[owner]
