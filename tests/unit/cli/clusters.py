"""A small cluster with a metrics store, as its two HTTP APIs show it: for commands that look around."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

Labels = dict[str, str]
Object = dict[str, Any]
NOW = 1_800_000_000.0


def deployment(namespace: str, name: str, **labels: str) -> Object:
    return {
        "metadata": {"namespace": namespace, "name": name, "labels": labels, "uid": name},
        "spec": {"template": {"metadata": {"labels": {"app": name}}}},
    }


def coloured(namespace: str, app: str, colour: str, pods: int = 3) -> Object:
    """One colour of a pair: its pods carry `app` and `version`."""
    made = deployment(namespace, f"{app}-{colour}")
    made["spec"]["template"]["metadata"]["labels"] = {"app": app, "version": colour}
    return {**made, "status": {"replicas": pods}}


def scaler(namespace: str, target: str, maximum: int) -> Object:
    return {
        "metadata": {"namespace": namespace, "name": target},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "minReplicas": 1,
            "maxReplicas": maximum,
        },
    }


def service(namespace: str, name: str, port: int, **selector: str) -> Object:
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"selector": selector, "ports": [{"name": "http", "port": port}]},
    }


def requests_of(namespace: str, *pods: str, status: str = "status") -> list[Labels]:
    """The series of services that count requests and time them, as the presets want them."""
    series: list[Labels] = []
    for pod in pods:
        of = {"namespace": namespace, "pod": pod}
        series += [{"__name__": "http_requests_total", status: code, **of} for code in ("200", "500")]
        edges = ("0.1", "0.5", "2", "5", "+Inf")
        series += [{"__name__": "http_request_duration_seconds_bucket", "le": edge, **of} for edge in edges]
    return series


@dataclass
class Cluster:
    """What there is; tests change it before they ask. `directly` is whether the store answers at its own address."""

    server: HTTPServer
    namespaces: list[str] = field(default_factory=lambda: ["shop"])
    deployments: list[Object] = field(default_factory=list)
    services: list[Object] = field(default_factory=list)
    scalers: list[Object] = field(default_factory=list)
    series: list[Labels] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)
    """Paths that the API server refuses."""
    store_answers: bool = True
    below: str = ""
    """Under which path the store's API is, behind the API server's proxy."""
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.expect_request(re.compile(r"/store/.*")).respond_with_handler(self._store)
        self.server.expect_request(re.compile(r"/apis?/.*")).respond_with_handler(self._api)

    @property
    def store_url(self) -> str:
        return self.server.url_for("/store").rstrip("/")

    def kubeconfig(self, directory: Path, namespace: str = "default") -> Path:
        file = directory / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me", "namespace": namespace}}],
            "clusters": [{"name": "it", "cluster": {"server": self.server.url_for("").rstrip("/")}}],
            "users": [{"name": "me", "user": {"token": "t"}}],
        }
        file.write_text(json.dumps(config))
        return file

    def _api(self, request: Request) -> Response:
        self.asked.append(request.path)
        if request.path in self.forbidden:
            return _json({"message": f"you cannot list {request.path}"}, 403)
        proxied = re.fullmatch(r"/api/v1/namespaces/([^/]+)/services/http:([^:/]+):(\d+)/proxy(/.*)", request.path)
        if proxied:
            known = [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in self.services]
            return (
                self._answer(proxied[4].removeprefix(self.below), request)
                if (proxied[1], proxied[2]) in known
                else _json({}, 404)
            )
        found = re.fullmatch(r"/apis?/(?:[^/]+/)?v\d(?:/namespaces/([^/]+))?(?:/([a-z]+))?", request.path)
        assert found, request.path
        namespace, resource = found[1], found[2]
        if namespace and not resource:
            there = namespace in self.namespaces
            return _json(
                {"metadata": {"name": namespace}} if there else {"message": "not found"}, 200 if there else 404
            )
        kinds = {
            "deployments": self.deployments,
            "services": self.services,
            "horizontalpodautoscalers": self.scalers,
            "namespaces": [{"metadata": {"name": name}} for name in self.namespaces],
        }
        items = [one for one in kinds[resource] if not namespace or one["metadata"]["namespace"] == namespace]
        return _json({"metadata": {}, "items": items})

    def _store(self, request: Request) -> Response:
        return self._answer(request.path.removeprefix("/store"), request)

    def _answer(self, path: str, request: Request) -> Response:
        if not self.store_answers:
            return _json({"status": "error", "error": "down"}, 503)
        if path == "/api/v1/query":
            return _json({"status": "success", "data": evaluated(request.args["query"], self.series)})
        selector = request.args.get("match[]", "")
        chosen = _selected(promql_parser.parse(selector), self.series) if selector else self.series
        if path == "/api/v1/labels":
            return _json({"status": "success", "data": sorted({name for one in chosen for name in one})})
        if path == "/api/v1/label/__name__/values":
            return _json({"status": "success", "data": sorted({one["__name__"] for one in chosen})})
        return _json({"status": "error", "error": "no such path"}, 404)


def _json(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")


def evaluated(promql: str, series: list[Labels]) -> Object:
    """The answer to the few kinds of expression that commands ask."""
    if promql == "time()":
        return {"resultType": "scalar", "result": [NOW, str(NOW)]}
    if promql.endswith("]"):
        points = [[NOW - 15 * n, "1"] for n in range(4, 0, -1)]
        return {"resultType": "matrix", "result": [{"metric": {}, "values": points}]}
    found = [
        {"metric": labels, "value": [NOW, str(value)]} for labels, value in _vector(promql_parser.parse(promql), series)
    ]
    return {"resultType": "vector", "result": found}


def _vector(tree: promql_parser.Expr, series: list[Labels]) -> list[tuple[Labels, float]]:
    if isinstance(tree, promql_parser.ParenExpr):
        return _vector(tree.expr, series)
    if isinstance(tree, promql_parser.VectorSelector):
        return [(labels, 1.0) for labels in _selected(tree, series)]
    if not isinstance(tree, promql_parser.AggregateExpr):
        return []  # shares of a limit: none of these services has one
    inner = _vector(tree.expr, series)
    if str(tree.op) == "topk":
        return inner[:3]
    by = list(tree.modifier.labels) if tree.modifier else []
    groups: dict[tuple[str, ...], int] = {}
    for labels, _value in inner:
        key = tuple(labels.get(name, "") for name in by)
        groups[key] = groups.get(key, 0) + 1
    return [({n: v for n, v in zip(by, key, strict=True) if v}, float(count)) for key, count in groups.items()]


def _selected(tree: promql_parser.Expr, series: list[Labels]) -> list[Labels]:
    assert isinstance(tree, promql_parser.VectorSelector), tree
    found = [one for one in series if not tree.name or one["__name__"] == tree.name]
    for matcher in tree.matchers.matchers:
        kind = str(matcher.op).rsplit(".", 1)[-1]
        found = [one for one in found if _matches(kind, one.get(matcher.name, ""), matcher.value)]
    return found


def _matches(kind: str, value: str, wanted: str) -> bool:
    same = value == wanted if kind.endswith("Equal") else re.fullmatch(wanted, value) is not None
    return same != kind.startswith("Not")


@pytest.fixture
def cluster(httpserver: HTTPServer) -> Cluster:
    """A namespace with two services that count their requests."""
    made = Cluster(httpserver)
    made.deployments = [deployment("shop", "cart", team="a"), deployment("shop", "checkout", team="b")]
    made.series = requests_of("shop", "cart-5d4f-abcde", "checkout-77c9-fghij")
    return made
