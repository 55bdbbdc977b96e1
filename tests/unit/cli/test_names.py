"""Which workload a person means: three spellings for every command, and what is said of a name that does not exist."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from rollguard.cli import exits, lookup
from rollguard.cli.main import call
from rollguard.model.names import UnitName
from rollguard.model.records import LifecycleState
from rollguard.record import rollout_to_json, unit_to_json
from tests.unit.cli.clusters import Cluster
from tests.unit.cli.stories import observed, unit
from tests.unit.observe.sets import SET

OTHERS = ("production/speech-to-text", "production/api")
SPELLINGS = (("production", "translation"), ("production/translation",), ("-n", "production", "translation"))
NO_SUCH = (("production", "translaton"), ("production/translaton",), ("-n", "production", "translaton"))
ANSWERS = ("approve", "reject", "ack", "investigate", "ticket")
NAMING = ("history", "why", *ANSWERS, "freeze", "release", "rollback", "wait")
INCIDENT = "INC-translation-r5"
MORE = {"rollback": ("--reason", "r")}


@pytest.fixture
def guarded(httpserver: HTTPServer, tmp_path: Path) -> tuple[Path, list[str]]:
    """A cluster where `production/translation` is guarded and has had a rollout, with what is asked of it."""
    asked: list[str] = []
    units = [replace(unit(), name=UnitName(*_of(name))) for name in OTHERS]
    units.append(unit())
    units.append(replace(unit(), name=SET.unit, workload=SET.workload, release_set=SET))

    def answer(request: Request) -> Response:
        asked.append(f"{request.method} {request.path}")
        found = re.fullmatch(
            r".*/v1alpha1(?:/namespaces/([^/]+))?/(guardedunits|guardedrollouts)(?:/(.+))?", request.path
        )
        if request.path.endswith("selfsubjectreviews"):
            return _json({"status": {"userInfo": {"username": "ana"}}}, 201)
        if found is None:
            return _json({"message": "not found"}, 404)
        namespace, kind, name = found.groups()
        texts = [unit_to_json(each, version="7") for each in units] if kind == "guardedunits" else []
        texts += (
            [rollout_to_json(replace(observed(), incident=INCIDENT), version="7")] if kind == "guardedrollouts" else []
        )
        items = [
            each for text in texts if (each := json.loads(text))["metadata"]["namespace"] in (namespace, "production")
        ]
        if name is None:
            return _json({"metadata": {}, "items": items})
        one = [each for each in items if each["metadata"]["name"] == name]
        return _json(one[0]) if one else _json({"message": "not found"}, 404)

    httpserver.expect_request(re.compile(r"/apis?/.*")).respond_with_handler(answer)
    return Cluster(httpserver).kubeconfig(tmp_path), asked


def _of(name: str) -> tuple[str, str]:
    namespace, _, rest = name.partition("/")
    return namespace, f"deployment-{rest}"


def _json(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")


@pytest.mark.parametrize("spelling", SPELLINGS, ids=" ".join)
def test_every_spelling_names_the_same_workload(
    spelling: tuple[str, ...], guarded: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig, asked = guarded
    assert call(["history", *spelling, "--since", "9999d", "--kubeconfig", str(kubeconfig)]) == 0
    assert call(["why", *spelling, "--kubeconfig", str(kubeconfig)]) == 0
    assert call(["release", *spelling, "--kubeconfig", str(kubeconfig)]) == 0
    assert call(["approve", *spelling, "--kubeconfig", str(kubeconfig)]) == exits.PROBLEM
    said = capsys.readouterr()
    assert "translation-r5" in said.out
    assert "nothing is asked: production/translation, revision 4 -> 5 is over" in said.err
    assert not any("namespaces/default" in each for each in asked)
    assert "GET /apis/rollguard.dev/v1alpha1/guardedrollouts" not in asked


@pytest.mark.parametrize("spelling", NO_SUCH, ids=" ".join)
@pytest.mark.parametrize("command", [name for name in NAMING if name != "wait"])
def test_a_name_that_does_not_exist_ends_with_the_nearest(
    command: str, spelling: tuple[str, ...], guarded: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig, _asked = guarded
    assert call([command, *spelling, *MORE.get(command, ()), "--kubeconfig", str(kubeconfig)]) == exits.PROBLEM
    assert capsys.readouterr().err == (
        "error: production/translaton is not guarded, and there is no rollout of that name;"
        " did you mean production/translation?\n"
    )


def test_an_incident_that_does_not_exist_ends_with_the_nearest(
    guarded: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig, _asked = guarded
    assert (
        call(["incident", "show", "INC-translation-r3", "-n", "production", "--kubeconfig", str(kubeconfig)])
        == exits.PROBLEM
    )
    assert f"no incident 'INC-translation-r3'; did you mean {INCIDENT}?" in capsys.readouterr().err


@pytest.mark.parametrize("command", NAMING)
def test_two_words_of_which_one_has_a_slash_are_wrong_usage(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = call([command, "production/api", "api", *MORE.get(command, ())])
    assert code == (exits.UNREACHABLE if command == "wait" else exits.USAGE)
    assert "expected NAMESPACE WORKLOAD, NAMESPACE/WORKLOAD, or WORKLOAD with -n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("production/speech-to-txt", "did you mean production/speech-to-text?"),
        ("production/zzz", "guarded there: production/a, production/b, production/c, production/d, production/e and 2"),
        ("other/zzz", "nothing in the namespace other is; `rollguard status -A` lists what is"),
    ],
)
def test_where_nothing_is_like_it_those_of_the_namespace_are_named(name: str, said: str) -> None:
    known = [f"production/{letter}" for letter in "abcdef"] + ["production/speech-to-text"]
    assert lookup.near(UnitName(*_of(name)), known).startswith(said)


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("history",),
        ("incident", "list"),
        ("why", "production/api"),
        ("freeze", "production/api"),
        ("freeze", "--all"),
        ("rollback", "production/api", "--reason", "r"),
    ],
    ids=" ".join,
)
def test_where_nothing_is_installed_it_says_so_and_what_to_do(
    command: tuple[str, ...], httpserver: HTTPServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    me = {"status": {"userInfo": {"username": "ana"}}}
    httpserver.expect_request("/apis/authentication.k8s.io/v1/selfsubjectreviews").respond_with_json(me, status=201)
    httpserver.expect_request(re.compile(r"/apis?/.*")).respond_with_json({"message": "page not found"}, status=404)
    assert call([*command, "--kubeconfig", str(Cluster(httpserver).kubeconfig(tmp_path))]) == exits.PROBLEM
    said = capsys.readouterr().err
    assert "Rollguard is not installed in this cluster" in said
    assert "`rollguard install --policy policy.yaml --apply`" in said
    assert "did not answer" not in said


@pytest.mark.parametrize("name", ["dubbing", "backend-blue", "backend-green", "workers-green"])
def test_a_set_is_meant_by_its_own_name_and_by_that_of_any_deployment_of_it(
    guarded: tuple[Path, list[str]], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config, asked = guarded
    call(["freeze", "production", name, "--reason", "sale", "--kubeconfig", str(config)])
    capsys.readouterr()
    assert any(path.endswith("/guardedunits/releaseset-dubbing") for path in asked), asked


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("backend-green", "--to-revision", "3"), "goes back to the other colour as it stands"),
        (("dubbing", "--only"), "name a Deployment of the member"),
        (("translation", "--only"), "belongs to no release set"),
    ],
)
def test_options_that_do_not_fit_a_set_are_refused_before_anything_is_ordered(
    guarded: tuple[Path, list[str]], options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config, asked = guarded
    code = call(["rollback", "production", *options, "--reason", "r", "--kubeconfig", str(config)])
    assert code == exits.USAGE
    assert words in capsys.readouterr().err
    assert not [line for line in asked if line.startswith("PATCH")]


def test_a_set_that_the_guard_takes_back_is_not_switched_at_the_same_time(
    httpserver: HTTPServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    acting = replace(observed(), unit=SET.unit, workload=SET.workload, state=LifecycleState.ACTING)
    held = replace(unit(), name=SET.unit, workload=SET.workload, release_set=SET, current_rollout=acting.id)
    one = json.loads(unit_to_json(held, version="7"))

    def answer(request: Request) -> Response:
        if "guardedrollouts" in request.path:
            return _json(json.loads(rollout_to_json(acting, version="7")))
        return _json(one if request.path.endswith("/releaseset-dubbing") else {"metadata": {}, "items": [one]})

    httpserver.expect_request(re.compile(r"/apis?/.*")).respond_with_handler(answer)
    config = Cluster(httpserver).kubeconfig(tmp_path)
    assert call(["switch", "production", "dubbing", "--to", "green", "--kubeconfig", str(config)]) == exits.PROBLEM
    assert f"the guard takes dubbing back now ({acting.id})" in capsys.readouterr().err
