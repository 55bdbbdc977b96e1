"""What an installation consists of: golden, restricted, and with no right more than declared."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rollguard.adapters.kubernetes.connection import rights
from rollguard.adapters.kubernetes.store import orders
from rollguard.cli.install import objects_of
from rollguard.cli.main import call
from rollguard.cli.policy import read
from rollguard.model.permissions import Permission, Scope
from rollguard.model.policy import Alerting
from rollguard.render import PEOPLE, access, to_yaml
from rollguard.render.around import service_monitor
from rollguard.render.receivers import receivers

ROOT = Path(__file__).parents[3]
POLICY = ROOT / "examples" / "dubbing-platform" / "policy.yaml"
GOLDEN = ROOT / "tests" / "golden" / "install.yaml"
DEFINITIONS = {"CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}


def installed(**options: Any) -> list[dict[str, Any]]:
    """The platform's installation, as plain data."""
    made = objects_of(POLICY, **{"namespace": "monitoring", "image": "rollguard:golden", **options})
    loaded: list[dict[str, Any]] = json.loads(json.dumps(made))
    return loaded


def of_kind(kind: str, objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in objects if each["kind"] == kind]


def granted(role: dict[str, Any]) -> set[tuple[str, str, str]]:
    """(group, resource, verb) that a role gives."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.golden
def test_the_platforms_installation_is_the_golden_one(renew_golden: bool) -> None:
    text = to_yaml(each for each in installed() if each["kind"] not in DEFINITIONS)
    if renew_golden:
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text(), "read the difference, then renew by --renew-golden"


def test_the_guard_gets_exactly_the_declared_rights_where_they_are_needed() -> None:
    objects = installed()
    roles = {role["metadata"]["namespace"]: granted(role) for role in of_kind("Role", objects)}
    bindings = {each["metadata"]["namespace"]: each for each in of_kind("RoleBinding", objects)}
    declared = {(each.group, each.resource, each.verb): each.scope for each in rights.needed(read(POLICY))}
    assert set(roles) == set(bindings) == {"monitoring", "production"}
    watched = (Scope.WATCHED, Scope.BOTH, Scope.SETS)
    assert roles["production"] == {key for key, scope in declared.items() if scope in watched}
    assert roles["monitoring"] == {key for key, scope in declared.items() if scope in (Scope.GUARD, Scope.BOTH)}
    for namespace, binding in bindings.items():
        name = "rollguard" if namespace == "monitoring" else "rollguard:monitoring"
        assert binding["metadata"]["name"] == binding["roleRef"]["name"] == name
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "rollguard", "namespace": "monitoring"}]


def test_in_the_whole_cluster_the_guard_may_only_ask_who_wants_its_metrics() -> None:
    objects = installed()
    (binding,) = of_kind("ClusterRoleBinding", objects)
    roles = {role["metadata"]["name"]: role for role in of_kind("ClusterRole", objects)}
    assert set(roles) == {"rollguard:monitoring", *(each.name for each in PEOPLE)}
    assert binding["roleRef"]["name"] == "rollguard:monitoring"
    assert granted(roles["rollguard:monitoring"]) == {
        ("authentication.k8s.io", "tokenreviews", "create"),
        ("authorization.k8s.io", "subjectaccessreviews", "create"),
    }


def test_namespaced_means_no_cluster_role_at_all() -> None:
    objects = installed(namespaced=True)
    assert of_kind("ClusterRole", objects) == of_kind("ClusterRoleBinding", objects) == []
    names = {(role["metadata"]["namespace"], role["metadata"]["name"]) for role in of_kind("Role", objects)}
    people = {(namespace, each.name) for namespace in ("monitoring", "production") for each in PEOPLE}
    assert names == {*people, ("monitoring", "rollguard"), ("production", "rollguard:monitoring")}


def test_two_guards_of_one_namespace_do_not_take_each_others_rights() -> None:
    right = Permission(group="apps", resource="deployments", verb="patch", scope=Scope.WATCHED, why="a test")
    names = [
        str(each["metadata"]["name"])
        for guard in ("team-a", "team-b", "shop")
        for each in of_kind("RoleBinding", access((right,), watched=("shop",), guard=guard))
    ]
    assert names == ["rollguard:team-a", "rollguard:team-b", "rollguard"]


def test_what_only_a_release_set_needs_is_given_only_where_one_is() -> None:
    right = Permission(group="", resource="services", verb="patch", scope=Scope.SETS, why="a test")
    made = access((right,), watched=("shop", "dubbing"), sets=("dubbing",), guard="monitoring")
    assert [each["metadata"]["namespace"] for each in of_kind("Role", made)] == ["dubbing"]


def test_a_right_for_the_cluster_gets_a_cluster_role_unless_namespaced() -> None:
    nodes = Permission(group="", resource="nodes", verb="get", scope=Scope.CLUSTER, why="a test")
    made = access((nodes,), watched=("shop",), guard="monitoring")
    assert [each["kind"] for each in made] == ["ClusterRole", "ClusterRoleBinding"]
    assert access((nodes,), watched=("shop",), guard="monitoring", namespaced=True) == ()


def test_who_may_operate_may_do_what_the_commands_do_and_only_the_forcer_may_force() -> None:
    viewer, operator, forcer = (
        {(group, resource, verb) for group, resources, verbs in each.rules for resource in resources for verb in verbs}
        for each in PEOPLE
    )
    asked = {(right.group, right.resource, right.verb) for right in (orders.WRITE, orders.CREATE)}
    assert operator == asked
    assert ("rollguard.dev", "*", "get") in viewer
    assert not any(resource.endswith("/force") or verb != "get" for _, resource, verb in viewer if resource != "*")
    assert forcer == {("rollguard.dev", "guardedunits/force", "update")}


def test_prometheus_finds_the_service_by_its_labels_and_comes_with_its_own_token() -> None:
    (service,) = of_kind("Service", installed())
    chosen = Alerting(labels=(("release", "prometheus"),))
    made = service_monitor(replace(read(POLICY), alerting=chosen), "monitoring")
    monitor: dict[str, Any] = json.loads(json.dumps(made))
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert endpoint["bearerTokenFile"].startswith("/var/run/secrets/kubernetes.io/serviceaccount/")
    assert endpoint["honorLabels"] is True


def test_every_pod_passes_the_restricted_standard() -> None:
    objects = installed()
    (deployment,), (job,) = of_kind("Deployment", objects), of_kind("CronJob", objects)
    for spec in (deployment["spec"], job["spec"]["jobTemplate"]["spec"]):
        pod = spec["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {key for volume in pod["volumes"] for key in volume} & {"hostPath", "persistentVolumeClaim"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_job_template_never_runs_by_itself_and_orders_among_the_watched_namespaces() -> None:
    (job,) = of_kind("CronJob", installed())
    assert (job["metadata"]["name"], job["spec"]["suspend"]) == ("rollback-job-template", True)
    template = job["spec"]["jobTemplate"]["spec"]
    assert (template["backoffLimit"], template["template"]["spec"]["restartPolicy"]) == (0, "Never")
    (container,) = template["template"]["spec"]["containers"]
    words = container["args"]
    assert words[:4] == ["rollback", "--bad", "--among", "production"]
    assert words[words.index("--guard-namespace") + 1] == "monitoring"


def test_the_budget_and_the_network_policy_and_the_service_are_of_the_guards_pods_alone() -> None:
    objects = installed()
    (deployment,) = of_kind("Deployment", objects)
    selected = deployment["spec"]["selector"]
    (budget,), (ingress,) = of_kind("PodDisruptionBudget", objects), of_kind("NetworkPolicy", objects)
    assert (budget["spec"]["selector"], ingress["spec"]["podSelector"]) == (selected, selected)
    (service,) = of_kind("Service", objects)
    assert service["spec"]["selector"] == selected["matchLabels"]
    assert ingress["spec"]["policyTypes"] == ["Ingress"]
    served = {port["containerPort"] for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]}
    assert {port["port"] for rule in ingress["spec"]["ingress"] for port in rule["ports"]} == served
    job = of_kind("CronJob", objects)[0]["spec"]["jobTemplate"]["spec"]["template"]
    assert not selected["matchLabels"].items() <= job["metadata"]["labels"].items(), "a Job's pod is no replica"


def test_where_the_secret_holds_a_token_alertmanager_finds_the_guard_at_the_port_that_it_is_sent_to(
    tmp_path: Path,
) -> None:
    assert "--alerts" not in json.dumps(installed())
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.read_text().replace("    secrets: [", "    secrets: [alertmanager-webhook-token, ", 1))
    objects = json.loads(json.dumps(objects_of(policy, namespace="monitoring", image="rollguard:golden")))
    (deployment,) = of_kind("Deployment", objects)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (ingress,), (service,) = of_kind("NetworkPolicy", objects), of_kind("Service", objects)
    every: list[dict[str, Any]] = json.loads(json.dumps(receivers(read(policy), "monitoring")))
    (guard,) = (each for each in every if each["name"] == "rollguard")
    address = urlsplit(guard["webhook_configs"][0]["url"])
    assert (address.hostname, address.path) == ("monitoring.monitoring.svc", "/alerts")
    assert container["args"][-2:] == ["--alerts", f"$(POD_IP):{address.port}"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports["alerts"] == address.port and len(set(ports.values())) == len(ports)
    assert {"name": "alerts", "port": address.port, "targetPort": "alerts"} in service["spec"]["ports"]
    assert address.port in {port["port"] for rule in ingress["spec"]["ingress"] for port in rule["ports"]}


def test_the_guards_pod_reads_its_policy_from_the_config_map() -> None:
    objects = installed()
    (deployment,) = of_kind("Deployment", objects)
    (config,) = of_kind("ConfigMap", objects)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["metadata"]["name"] == "monitoring"
    assert config["data"] == {"policy.yaml": POLICY.read_text()}
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert f"{mounted['policy']}/policy.yaml" in container["args"]


def test_a_changed_policy_rolls_the_guard_out(tmp_path: Path) -> None:
    changed = tmp_path / "policy.yaml"
    changed.write_text(POLICY.read_text().replace("mode: automatic", "mode: approve", 1))
    assert changed.read_text() != POLICY.read_text()
    (before,) = of_kind("Deployment", installed())
    (after,) = of_kind("Deployment", objects_of(changed, namespace="monitoring", image="rollguard:golden"))
    assert before["spec"]["template"] != after["spec"]["template"]


def test_a_journal_in_a_file_means_one_replica_with_a_volume_that_its_successor_waits_for(tmp_path: Path) -> None:
    with_file = tmp_path / "policy.yaml"
    with_file.write_text(POLICY.read_text().replace("  links:\n", "  journal: {sqlite: {}}\n  links:\n", 1))
    objects = json.loads(json.dumps(objects_of(with_file, namespace="monitoring", image="rollguard:golden")))
    (deployment,) = of_kind("Deployment", objects)
    (claim,) = of_kind("PersistentVolumeClaim", objects)
    (budget,) = of_kind("PodDisruptionBudget", objects)
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert budget["spec"]["maxUnavailable"] == 1
    spec = deployment["spec"]["template"]["spec"]
    (volume,) = (each for each in spec["volumes"] if "persistentVolumeClaim" in each)
    assert volume["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    mounted = {each["name"]: each for each in spec["containers"][0]["volumeMounts"]}
    assert mounted[volume["name"]] == {"name": volume["name"], "mountPath": "/var/lib/rollguard"}
    assert objects.index(claim) < objects.index(deployment)


def test_without_a_journal_or_with_a_database_there_are_two_replicas_and_no_volume(tmp_path: Path) -> None:
    with_database = tmp_path / "policy.yaml"
    with_database.write_text(POLICY.read_text().replace("  links:\n", "  journal: {postgres: {}}\n  links:\n", 1))
    for policy in (POLICY, with_database):
        objects = json.loads(json.dumps(objects_of(policy, namespace="monitoring", image="rollguard:golden")))
        (deployment,) = of_kind("Deployment", objects)
        assert deployment["spec"]["replicas"] == 2
        assert of_kind("PersistentVolumeClaim", objects) == []


def test_every_object_fits_into_the_annotation_in_which_kubectl_apply_keeps_it() -> None:
    sizes = {each["metadata"]["name"]: len(json.dumps(each)) for each in installed()}
    assert max(sizes.values()) < 256 * 1024, sizes


def test_what_is_printed_is_always_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for _ in range(2):
        assert call(["install", "--print", "--policy", str(POLICY)]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert call(["install", "--print", "--policy", str(POLICY), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "List"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["install"], "--print, or --apply"),
        (["install", "--print", "--apply"], "--print, or --apply"),
        (["install", "--print"], "--policy FILE is missing"),
        (["install", "--print", "--policy", "p", "--timeout", "soon"], "expected a duration"),
        (["uninstall"], "--yes to delete, or --dry-run"),
    ],
)
def test_wrong_usage_is_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(arguments) == 2
    assert said in capsys.readouterr().err
