from __future__ import annotations

from dataclasses import replace

import pytest

from rollguard.judge.events.pull import Cause, classify, registry_of
from rollguard.model.facts import ClusterEvent, Pod
from rollguard.model.judgement import Attribution, Finding, Verdict, VerdictKind
from rollguard.model.signals import LevelName
from tests.unit.judge.building import CRASH, PULL, STARTED, Case
from tests.unit.observe.building import LONG_AGO, NEW, OLD, container, pod

IMAGE = "registry.example.com/translation:v2"


def crashed(
    name: str = "n",
    *,
    exits: int = 2,
    code: int = 1,
    node: str = "node-a",
    in_template: bool = True,
    init: bool = False,
) -> Pod:
    ended = container(
        restarts=exits, exit_code=code, finished_at=STARTED.plus(10 * exits), in_template=in_template, init=init
    )
    return pod(name, NEW, node=node, containers=(ended,), ready_since=None)


def old(name: str = "o", *, node: str = "node-a", restarted: bool = False) -> Pod:
    box = container(restarts=1, exit_code=137, finished_at=STARTED.plus(5)) if restarted else container()
    return pod(name, OLD, node=node, containers=(box,))


def crash(*pods: Pod) -> Verdict:
    return Case((CRASH,)).see(pods=pods)


def test_a_native_sidecar_of_the_template_that_crashes_is_the_release() -> None:
    ended = container(name="proxy", restarts=2, exit_code=1, finished_at=STARTED.plus(20), init=True)
    crashing = pod("n", NEW, containers=(replace(ended, sidecar=True),), ready_since=None)
    (finding,) = crash(crashing, old()).findings
    assert finding.attribution is Attribution.RELEASE
    assert not crash(replace(crashing, containers=(ended,)), old()).findings


def test_two_exits_with_an_error_are_a_crash_loop_of_the_release() -> None:
    verdict = crash(crashed(), old())
    (finding,) = verdict.findings
    assert verdict.kind is VerdictKind.BAD
    assert (finding.level, finding.value, finding.attribution) == (LevelName.ROLLBACK, 2.0, Attribution.RELEASE)
    assert finding.text == (
        "crash-loop: container app of the new pod n ended 2 times with an error (last exit code 1) on node node-a, "
        "bound 2; old pods on its node do not restart"
    )


def test_where_old_pods_on_the_node_restart_too_it_is_the_node() -> None:
    verdict = crash(crashed(), old(restarted=True))
    assert (verdict.kind, verdict.findings[0].attribution) == (VerdictKind.BAD, Attribution.NODE)
    assert verdict.findings[0].reference.not_worse


def test_where_no_old_pod_is_on_the_node_and_all_others_restart_it_is_not_the_release() -> None:
    def watched(*others: Pod) -> Finding:
        case = Case((CRASH,))
        case.see(pods=(looping(0), *others), now=STARTED.plus(1))
        case.see(pods=(looping(1), *others), now=STARTED.plus(11))
        return case.see(pods=(looping(2), *others), now=STARTED.plus(21)).findings[0]

    elsewhere = tuple(old(f"o-{node}", node=node, restarted=True) for node in ("node-b", "node-c"))
    finding = watched(*elsewhere)
    assert finding.attribution is Attribution.NODE
    assert finding.text.endswith("no old pod runs on its node, and on every other node old pods restart too")
    assert watched(*elsewhere, old("o-d", node="node-d")).attribution is Attribution.RELEASE


def test_an_old_pod_that_restarts_on_another_node_does_not_excuse_the_release() -> None:
    verdict = crash(crashed(), old(), old("p", node="node-b", restarted=True))
    assert verdict.findings[0].attribution is Attribution.RELEASE


def test_a_crash_on_a_node_of_its_own_is_the_releases_though_another_node_is_broken() -> None:
    verdict = crash(crashed(), old(restarted=True), crashed("m", node="node-b"), old("p", node="node-b"))
    assert verdict.findings[0].attribution is Attribution.RELEASE


def test_an_old_pods_restart_counts_though_the_cluster_cuts_its_time_to_the_second() -> None:
    cut = container(restarts=2, exit_code=255, finished_at=STARTED)
    verdict = Case((CRASH,), started=STARTED.plus(0.6)).see(pods=(crashed(), pod("o", OLD, containers=(cut,))))
    assert verdict.findings[0].attribution is Attribution.NODE


def test_an_old_pods_restart_from_before_the_rollout_excuses_nothing() -> None:
    ended_before = container(restarts=3, exit_code=1, finished_at=STARTED.plus(-1))
    verdict = crash(crashed(), pod("o", OLD, containers=(ended_before,)))
    assert verdict.findings[0].attribution is Attribution.RELEASE


@pytest.mark.parametrize(
    "one",
    [
        crashed(exits=1),
        crashed(code=0),
        crashed(in_template=False),
        crashed(init=True),
        pod("o", OLD, containers=(container(restarts=5, exit_code=1, finished_at=STARTED.plus(5)),)),
        pod("n", NEW, deleting=True, containers=(container(restarts=5, exit_code=1, finished_at=STARTED.plus(5)),)),
        pod("n", None, containers=(container(restarts=5, exit_code=1, finished_at=STARTED.plus(5)),)),
    ],
    ids=["one exit", "exit 0", "injected", "init", "old pod", "deleted", "unknown"],
)
def test_nothing_less_is_a_crash_loop(one: Pod) -> None:
    assert crash(one).findings == ()


def test_exits_are_counted_from_look_to_look() -> None:
    case = Case((CRASH,))

    def look(restarts: int, code: int | None, at: float, waiting: str = "") -> int:
        ended = STARTED.plus(at) if code is not None else None
        box = container(restarts=restarts, exit_code=code, finished_at=ended, waiting_reason=waiting)
        return len(case.see(pods=(pod("n", NEW, containers=(box,)),)).findings)

    assert look(0, None, 0) == 0
    assert look(0, 1, 3) == 0
    assert look(1, 1, 3) == 0
    # The second end: the restart is not counted yet, and no back-off is announced.
    assert look(1, 1, 8) == 1


def test_a_back_off_counts_the_end_that_no_restart_has_followed_yet() -> None:
    box = container(restarts=1, exit_code=1, finished_at=STARTED.plus(9), waiting_reason="CrashLoopBackOff")
    assert crash(pod("n", NEW, containers=(box,))).kind is VerdictKind.BAD


def test_an_exit_without_error_is_not_counted_with_those_that_have_one() -> None:
    case = Case((CRASH,))
    for restarts, code, at in ((1, 0, 3), (2, 1, 8)):
        box = container(restarts=restarts, exit_code=code, finished_at=STARTED.plus(at))
        verdict = case.see(pods=(pod("n", NEW, containers=(box,)),))
    assert verdict.findings == ()


def test_what_old_pods_did_on_the_node_is_remembered_when_they_are_gone() -> None:
    case = Case((CRASH,))
    assert case.see(pods=(crashed(), old(restarted=True))).findings[0].attribution is Attribution.NODE
    later = case.see(pods=(crashed(exits=3),), now=STARTED.plus(60))
    assert later.findings[0].attribution is Attribution.NODE
    assert "old pods on its node restart too" in later.findings[0].text


def looping(restarts: int) -> Pod:
    ended = container(restarts=restarts, exit_code=1, finished_at=STARTED.plus(10 * restarts))
    return pod("n", NEW, containers=(ended,), ready_since=None)


def test_crashes_that_came_while_nobody_looked_are_not_charged_where_nothing_stands_beside_them() -> None:
    case = Case((CRASH,))
    assert case.see(pods=(looping(0),), now=STARTED.plus(1)).findings == ()
    finding = case.see(pods=(looping(3),), now=STARTED.plus(50)).findings[0]
    assert finding.attribution is Attribution.NODE
    assert "3 of them while nobody looked" in finding.text
    assert case.see(pods=(looping(4),), now=STARTED.plus(51)).findings[0].attribution is Attribution.NODE
    assert case.see(pods=(looping(5),), now=STARTED.plus(52)).findings[0].attribution is Attribution.RELEASE


def test_crashes_that_a_stalled_watch_shows_late_were_not_watched() -> None:
    # Looks follow each other, but the first of them saw what had been: the exits are older than it.
    case = Case((CRASH,))
    assert case.see(pods=(looping(0), old()), now=STARTED.plus(100)).findings == ()
    finding = case.see(pods=(looping(2),), now=STARTED.plus(100.1)).findings[0]
    assert finding.attribution is Attribution.NODE
    assert "2 of them while nobody looked" in finding.text


def test_crashes_between_two_looks_of_which_only_the_first_saw_an_old_pod_there_are_not_charged() -> None:
    # The node restarted both; the old one was through with its drain before the next look.
    case = Case((CRASH,))
    assert case.see(pods=(looping(0), old()), now=STARTED.plus(1)).findings == ()
    assert case.see(pods=(looping(2),), now=STARTED.plus(21)).findings[0].attribution is Attribution.NODE
    assert case.see(pods=(looping(3),), now=STARTED.plus(31)).findings[0].attribution is Attribution.NODE
    assert case.see(pods=(looping(4),), now=STARTED.plus(41)).findings[0].attribution is Attribution.RELEASE


def test_crashes_on_a_node_of_its_own_are_charged_when_they_were_watched() -> None:
    case = Case((CRASH,))
    case.see(pods=(looping(0),), now=STARTED.plus(1))
    case.see(pods=(looping(1),), now=STARTED.plus(11))
    assert case.see(pods=(looping(2),), now=STARTED.plus(21)).findings[0].attribution is Attribution.RELEASE


def test_old_pods_that_do_not_restart_beside_it_tell_of_the_time_before_the_judge_looked_too() -> None:
    assert crash(looping(3), old()).findings[0].attribution is Attribution.RELEASE


def test_an_event_rule_that_the_watch_does_not_name_is_not_judged() -> None:
    assert Case((PULL,)).see(pods=(crashed(),)).findings == ()


# --- image pull ---

NOT_FOUND = f'rpc error: code = NotFound desc = failed to pull and unpack image "{IMAGE}": not found'
DENIED = "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized"
LOST_LAYER = (
    f'failed to pull and unpack image "{IMAGE}": failed to extract layer sha256:4dcab: NotFound: failed to get reader '
    "from content store: content digest sha256:51f5: not found"
)
LOST_SNAPSHOT = (
    f'failed to pull and unpack image "{IMAGE}": failed to prepare extraction snapshot "extract-795 sha256:9281": '
    "parent snapshot sha256:0b16 does not exist: not found"
)
BUSY = "unexpected status from HEAD request to https://registry.example.com/v2/x: 429 Too Many Requests"


def waiting(
    name: str = "n", message: str = NOT_FOUND, *, node: str = "node-a", reason: str = "ErrImagePull", image: str = IMAGE
) -> Pod:
    box = container(image=image, image_id="", waiting_reason=reason, waiting_message=message)
    return pod(name, NEW, node=node, ready_since=None, created=STARTED.plus(1), containers=(box,))


def pull(*pods: Pod, events: tuple[ClusterEvent, ...] = ()) -> Verdict:
    return Case((PULL,)).see(pods=pods, events=events)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (NOT_FOUND, Cause.NOT_FOUND),
        ("manifest unknown: manifest unknown", Cause.NOT_FOUND),
        ("no match for platform in manifest: not found", Cause.NOT_FOUND),
        (DENIED, Cause.UNAUTHORISED),
        (
            "pull access denied, repository does not exist or may require authorization: authorization failed",
            Cause.UNAUTHORISED,
        ),
        (BUSY, Cause.REGISTRY),
        (LOST_LAYER, Cause.NODE),
        (LOST_SNAPSHOT, Cause.NODE),
        ("failed to copy: write /var/lib/containerd/ingest/1: no space left on device", Cause.NODE),
        ("toomanyrequests: You have reached your pull rate limit", Cause.REGISTRY),
        ("unexpected status code 503 Service Unavailable", Cause.REGISTRY),
        ("dial tcp: lookup registry.example.com: no such host", Cause.REGISTRY),
        ("dial tcp 10.0.0.9:443: i/o timeout", Cause.REGISTRY),
        ("Failed to apply default image tag: couldn't parse image name: invalid reference format", Cause.INVALID),
        ("Back-off pulling image", None),
        ("", None),
    ],
)
def test_the_message_tells_the_cause(message: str, cause: Cause | None) -> None:
    assert classify("ErrImagePull", message, IMAGE) is cause


def test_figures_in_an_images_name_are_no_status_codes() -> None:
    image = "registry.example.com/app:503"
    assert classify("ErrImagePull", f"failed to resolve reference {image}: not found", image) is Cause.NOT_FOUND


def test_an_image_that_is_not_found_by_all_new_pods_is_the_releases() -> None:
    verdict = pull(waiting(), old())
    (finding,) = verdict.findings
    assert (verdict.kind, finding.attribution) == (VerdictKind.BAD, Attribution.RELEASE)
    assert finding.text == (
        f"image-pull: image {IMAGE} cannot be pulled (not found) by 1 of 1 new pods on 1 nodes, "
        "bound 2 nodes or all new pods"
    )


def test_one_of_several_new_pods_on_one_node_is_not_enough_and_two_nodes_are() -> None:
    fine = pod("m", NEW, node="node-b")
    assert pull(waiting(), fine).findings == ()
    assert pull(waiting(), waiting("l"), fine).findings == ()
    assert pull(waiting(), waiting("l", node="node-b"), fine).kind is VerdictKind.BAD


@pytest.mark.parametrize("message", [BUSY, "dial tcp 10.0.0.9:443: i/o timeout"])
def test_a_registry_in_trouble_is_not_the_release(message: str) -> None:
    assert pull(waiting(message=message)).findings[0].attribution is Attribution.REGISTRY


@pytest.mark.parametrize("message", [LOST_LAYER, LOST_SNAPSHOT])
def test_a_node_that_cannot_unpack_the_image_is_not_the_release(message: str) -> None:
    (finding,) = pull(waiting(message=message), old()).findings
    assert finding.attribution is Attribution.NODE
    assert finding.text.endswith("; this may be the node's disk or image store, not the release")


def test_unauthorised_is_the_releases_only_while_another_image_of_the_registry_comes() -> None:
    assert pull(waiting(message=DENIED), old()).findings[0].attribution is Attribution.REGISTRY
    sidecar = container(name="helper", image="registry.example.com/helper:v1")
    helped = waiting(message=DENIED)
    both = pod("n", NEW, containers=(*helped.containers, sidecar), created=STARTED.plus(1), ready_since=None)
    assert pull(both, old()).findings[0].attribution is Attribution.RELEASE
    elsewhere = container(name="helper", image="ghcr.io/helper:v1")
    other = pod("n", NEW, containers=(*helped.containers, elsewhere), created=STARTED.plus(1), ready_since=None)
    assert pull(other).findings[0].attribution is Attribution.REGISTRY


def test_the_cause_may_stand_in_an_event_only() -> None:
    back_off = waiting(message=f'Back-off pulling image "{IMAGE}"', reason="ImagePullBackOff")
    assert pull(back_off).findings == ()
    told = ClusterEvent(
        pod="n", reason="Failed", message=f'Failed to pull image "{IMAGE}": not found', last_seen=STARTED
    )
    assert pull(back_off, events=(told,)).findings[0].attribution is Attribution.RELEASE


def test_the_cause_is_remembered_through_the_back_off() -> None:
    case = Case((PULL,))
    first = case.see(pods=(waiting(),), now=STARTED.plus(3))
    later = case.see(pods=(waiting(message="Back-off", reason="ImagePullBackOff"),), now=STARTED.plus(20))
    assert later.findings[0].since == first.findings[0].since == STARTED.plus(3)
    assert case.see(pods=(pod("n", NEW),)).findings == ()


def test_an_injected_containers_image_is_not_judged() -> None:
    box = container(image=IMAGE, waiting_reason="ErrImagePull", waiting_message=NOT_FOUND, in_template=False)
    assert pull(pod("n", NEW, containers=(box,), created=LONG_AGO)).findings == ()


def test_a_registry_is_told_by_its_host() -> None:
    assert registry_of("registry.example.com/a/b:v1") == "registry.example.com"
    assert registry_of("localhost:5000/a") == "localhost:5000"
    assert registry_of("library/nginx") == registry_of("nginx") == "docker.io"
