"""People at the command line, and what the API server lets them do: orders, freezes, plans that nobody can rewrite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from lab.api import JSON_PATCH, Api, ApiError
from lab.controller import command
from lab.faults.guarded import NAME, Guarded, guarded
from lab.faults.killing import BAD, TIMING
from lab.proxy import Script
from lab.world import Lab
from rollguard.model.action import StepState
from rollguard.model.notices import NoticeState
from rollguard.model.records import LifecycleState, Outcome
from tests.lab.beside import Beside, Story, beside

pytestmark = pytest.mark.asyncio(loop_scope="session")

RBAC = "/apis/rbac.authorization.k8s.io/v1"
OWN = "/apis/rollguard.dev/v1alpha1/namespaces"
NOBODY_LISTENS = "http://127.0.0.1:1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command came to."""

    code: int
    output: str
    errors: str


async def rollguard(lab: Lab, user: str, *arguments: str) -> Answer:
    """Runs a command as one of the lab's people."""
    where = ("--kubeconfig", str(lab.plane.kubeconfig_for(user)))
    process = await asyncio.create_subprocess_exec(
        *command((*arguments, *where)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(120):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return Answer(code=process.returncode, output=output.decode(), errors=errors.decode())


@asynccontextmanager
async def service(lab: Lab, namespace: str, **options: Any) -> AsyncIterator[Guarded]:
    """The service under one controller, adopted; Alice and Bob may give orders in its namespace, and act there."""
    installed = await lab.install()
    window = {"automatic": "60s", "close": "4m", "startup": "10s", "stabilization": "30s"}
    settings = {"timing": TIMING, "window": window, **options}
    async with guarded(lab, namespace, script=Script(), installed=installed, **settings) as here:
        units = {"apiGroups": ["rollguard.dev"], "resources": ["guardedunits"]}
        await grant(here, "people", [{**units, "verbs": ["get", "list", "watch", "create", "patch"]}])
        await bind(here, "acting", {"kind": "Role", "name": "rollguard"})
        here.controller()
        await here.until_adopted()
        yield here


async def grant(here: Guarded, name: str, rules: list[dict[str, Any]]) -> None:
    """A Role in the service's namespace, bound to Alice and Bob."""
    path = f"{RBAC}/namespaces/{here.namespace}/roles"
    await here.lab.api.create(path, {"metadata": {"name": name}, "rules": rules})
    await bind(here, name, {"kind": "Role", "name": name})


async def bind(here: Guarded, name: str, role: dict[str, str]) -> None:
    group = "rbac.authorization.k8s.io"
    people = [{"kind": "User", "name": user, "apiGroup": group} for user in ("alice", "bob")]
    body = {"metadata": {"name": name}, "subjects": people, "roleRef": {**role, "apiGroup": group}}
    await here.lab.api.create(f"{RBAC}/namespaces/{here.namespace}/rolebindings", body)


async def generation(here: Guarded) -> int:
    return int((await here.deployment())["metadata"]["generation"])


async def spec_of_unit(here: Guarded) -> Any:
    path = f"{OWN}/{here.namespace}/guardedunits/{here.unit_name.object_name}"
    return (await here.lab.api.get(path)).get("spec", {})


async def until_open(here: Guarded, count: int, state: LifecycleState) -> None:
    """Returns when the newest of so many rollouts is in that state."""

    async def there() -> bool:
        found = await here.rollouts()
        return len(found) == count and found[-1].state is state

    await here.lab.until(there, what=f"rollout {count} {state.value}", timeout_s=40.0, seen=here.logs)


async def force_at_the_command_line_is_a_right_of_its_own(lab: Lab) -> None:
    async with service(lab, "cli-force") as here:
        await here.release("v2")
        await until_open(here, 1, LifecycleState.WATCHING)
        order = ("rollback", here.namespace, NAME, "--reason", "it smells")
        before = await spec_of_unit(here)
        refused = await rollguard(lab, "alice", *order, "--force")
        assert refused.code == 1, refused
        assert "force needs the right to update guardedunits/force" in refused.errors
        assert await spec_of_unit(here) == before
        assert await generation(here) == 2

        force = [{"apiGroups": ["rollguard.dev"], "resources": ["guardedunits/force"], "verbs": ["update"]}]
        await grant(here, "may-force", force)
        accepted = await rollguard(lab, "alice", *order, "--force")
        assert accepted.code == 0, accepted
        assert "restored: revision 1" in accepted.output
        record = await here.until_closed()
        assert record.plan is not None
        assert (record.plan.actor, record.plan.reason) == ("alice", "it smells")
        assert await generation(here) == 3
        sent = [r["step"] for r in here.controllers[0].records() if r["event"] == "step-sent"]
        assert sent == [1, 2], "the controller did it"
        unit = await here.unit()
        assert unit is not None
        assert unit.automatic_rollbacks == ()


async def a_dry_run_changes_nothing(lab: Lab) -> None:
    async with service(lab, "cli-dry-run") as here:
        await here.release("v2")
        await lab.until_rolled_out(here.namespace, NAME)
        await until_open(here, 1, LifecycleState.WATCHING)
        before = (await here.deployment(), await spec_of_unit(here))
        answer = await rollguard(lab, "alice", "rollback", here.namespace, NAME, "--reason", "what if", "--dry-run")
        assert answer.code == 0, answer
        assert f"would put revision 1 of {here.namespace}/{NAME} back" in answer.output
        after = (await here.deployment(), await spec_of_unit(here))
        for deployment in (before[0], after[0]):
            # The Deployment's own controller still counts pods.
            del deployment["status"], deployment["metadata"]["resourceVersion"], deployment["metadata"]["managedFields"]
        assert after == before
        (record,) = await here.rollouts()
        assert record.plan is None


async def without_a_controller_and_without_a_store_the_command_does_the_rollback_itself(lab: Lab) -> None:
    async with service(lab, "cli-alone", others=("lip-sync",), prometheus=NOBODY_LISTENS) as here:
        await here.release("v2")
        await until_open(here, 1, LifecycleState.WATCHING)
        await lab.release(here.namespace, "lip-sync", "v2")

        async def other_open() -> bool:
            found = await here.rollouts_of("lip-sync")
            return bool(found) and all(n.state is NoticeState.ACCEPTED for n in found[-1].notices)

        await lab.until(other_open, what="the other rollout", seen=here.logs)
        await here.controllers[0].kill()

        async def quiet() -> bool:
            return here.script.quiet()

        await lab.until(quiet, what="the answer to the last write of the dead controller")
        other = await here.rollouts_of("lip-sync")
        guard = ("--guard-namespace", here.namespace, "--controller-wait", "1s")
        answer = await rollguard(lab, "alice", "rollback", here.namespace, NAME, "--reason", "fire", *guard)
        assert answer.code == 0, answer
        assert "trying to act in its place" in answer.errors
        assert "audit" not in answer.output + answer.errors, "the log is not for people"
        assert "\x1b[" not in answer.output + answer.errors
        (record,) = await here.rollouts()
        assert record.plan is not None
        assert record.plan.actor == "alice"
        assert [step.state for step in record.plan.steps] == [StepState.DONE, StepState.DONE]
        assert await generation(here) == 3
        assert await here.rollouts_of("lip-sync") == other, "the command leaves other rollouts alone"
        assert any(n.state is NoticeState.PENDING for n in record.notices), "nobody has told the others yet"

        here.controller()
        closed = await here.until_closed()
        assert closed.outcome in (Outcome.RECOVERED, Outcome.UNCONFIRMED)
        assert closed.epoch > record.epoch
        assert await generation(here) == 3
        assert len(here.receiver.of_topic("rolled-back")) == 1


async def a_frozen_service_is_left_alone_until_it_is_released(lab: Lab) -> None:
    async with service(lab, "cli-freeze") as here:
        one = f"{here.namespace}/{NAME}"
        guard = ("--guard-namespace", here.namespace)
        for count, what, words in ((1, one, one), (2, "--all", "everything")):
            frozen = await rollguard(lab, "bob", "freeze", what, "--for", "1h", "--reason", "a demo runs", *guard)
            assert frozen.code == 0, frozen
            assert f"{words} is frozen until" in frozen.output
            await here.release(f"v{count + 1}-missing")
            await until_open(here, count, LifecycleState.HELD)
            held = (await here.rollouts())[-1]
            assert "frozen until" in held.why
            assert "bob" in held.why
            assert held.plan is None
            ordered = await rollguard(lab, "alice", "rollback", here.namespace, NAME, "--reason", "now", *guard)
            assert ordered.code == 1, ordered
            assert "release it first" in ordered.errors
            assert await generation(here) == 2 * count

            released = await rollguard(lab, "alice", "release", what, *guard)
            assert released.code == 0, released
            record = await here.until_closed()
            assert record.outcome is Outcome.RECOVERED
            assert await generation(here) == 2 * count + 1


async def nobody_rewrites_a_plan_that_is_under_way(lab: Lab) -> None:
    """Every field of it, removed and changed, by a user who may write everything."""
    async with service(lab, "plan-fields") as here:
        died = asyncio.Event()

        async def die() -> None:
            await here.controllers[0].kill()
            died.set()

        here.script.held = die
        await here.release(BAD)
        async with asyncio.timeout(40):
            await died.wait()
        (record,) = await here.rollouts()
        assert record.state is LifecycleState.ACTING
        path = f"{OWN}/{here.namespace}/guardedrollouts/{record.id}"
        status = (await lab.api.get(path))["status"]
        attempts = list(_attempts(status["plan"]))
        assert len(attempts) >= 20
        passed = [what for what, patch in attempts if not await _refused(lab.api, f"{path}/status", patch)]
        assert passed == []
        for patch in _backwards(status["epoch"]):
            assert await _refused(lab.api, f"{path}/status", patch), patch
        assert (await lab.api.get(path))["status"] == status

        honest = [{"op": "replace", "path": "/status/epoch", "value": status["epoch"] + 1}]
        await lab.api.patch(f"{path}/status", honest, JSON_PATCH)
        print(f"{len(attempts)} ways to rewrite a plan were refused")
        here.controller(proxied=False)
        assert (await here.until_closed()).outcome is Outcome.RECOVERED


def _attempts(plan: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each leaf of the plan but those that move, removed and changed: what cannot be removed is not added again."""
    for path, value in _leaves(plan, "/status/plan"):
        if path.endswith(("/state", "/detail")):
            continue
        yield f"remove {path}", [{"op": "remove", "path": path}]
        yield f"change {path}", [{"op": "replace", "path": path, "value": _other(value)}]


def _backwards(epoch: int) -> Iterator[list[dict[str, Any]]]:
    yield [{"op": "remove", "path": "/status/plan"}]
    yield [{"op": "remove", "path": "/status/plan/steps/0"}]
    yield [{"op": "remove", "path": "/status/epoch"}]
    yield [{"op": "replace", "path": "/status/epoch", "value": epoch - 1}]
    yield [{"op": "replace", "path": "/status/plan/steps/0/state", "value": "pending"}]
    yield [{"op": "remove", "path": "/status/plan/steps/0/state"}]
    yield [{"op": "remove", "path": "/status"}]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}/{index}")
    else:
        yield path, value


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if value.endswith("Z"):
            return "2031-01-01T00:00:00.000Z"
        case _:
            return f"{value}-x"


async def _refused(api: Api, path: str, patch: list[dict[str, Any]]) -> bool:
    try:
        await api.patch(path, patch, JSON_PATCH)
    except ApiError as error:
        return error.status == 422
    return False


async def a_policy_file_that_went_bad_keeps_no_controller_from_starting(lab: Lab) -> None:
    async with service(lab, "bad-at-start") as here:
        good = here.policy.read_text()
        await here.controllers[0].kill()
        here.policy.write_text(good.replace('"automatic"', '"automatical"'))
        here.controllers[0].start()
        await here.release("v2-missing")
        record = await here.until_closed()
        assert record.outcome is Outcome.RECOVERED
        assert await generation(here) == 3
        (said,) = (r for r in here.controllers[0].records() if r["event"] == "started-under-an-earlier-policy")
        assert said["instead_of"] == str(here.policy)
        shown = await rollguard(lab, "alice", "status", "-n", here.namespace)
        assert "everything: PolicyInvalid: " in shown.output, shown
        assert "`automatical`: expected" in shown.output
        assert len(here.receiver.of_topic("policy-invalid")) == 1

        here.policy.write_text(good)

        async def mended() -> bool:
            answer = await rollguard(lab, "alice", "status", "-n", here.namespace)
            return answer.code == 0 and "PolicyInvalid" not in answer.output

        await lab.until(mended, what="the end of PolicyInvalid", seen=here.logs)


STORIES: tuple[Story, ...] = (
    a_policy_file_that_went_bad_keeps_no_controller_from_starting,
    force_at_the_command_line_is_a_right_of_its_own,
    a_dry_run_changes_nothing,
    without_a_controller_and_without_a_store_the_command_does_the_rollback_itself,
    a_frozen_service_is_left_alone_until_it_is_released,
    nobody_rewrites_a_plan_that_is_under_way,
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def playing(request: pytest.FixtureRequest, lab: Lab) -> AsyncIterator[Beside]:
    async with beside(request, lab) as stories:
        yield stories


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_it_goes_as_told(story: Story, playing: Beside) -> None:
    await playing.ended(story)
