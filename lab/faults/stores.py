"""Metrics stores that fail: a Prometheus of a story's own, that may be killed, and one whose values are no numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lab.faults.serving import serving
from lab.prometheus import Prometheus, Scraping
from lab.world import Lab


@asynccontextmanager
async def own_prometheus(lab: Lab, name: str) -> AsyncIterator[Prometheus]:
    """A second Prometheus that scrapes what the lab's does, for the length of the block."""
    workdir = lab.workdir / name
    workdir.mkdir()
    parts = lab.parts
    scraping = Scraping(
        interval=lab.settings.scrape_interval,
        exporter=parts["exporter"].address,
        load_generator=parts["loadgen"].address,
        nodes={node: parts[node].address for node in lab.settings.nodes},
    )
    async with Prometheus.running(workdir, lab.plane, scraping) as prometheus:
        yield prometheus


@asynccontextmanager
async def not_a_number(upstream: str) -> AsyncIterator[str]:
    """The address of a store that answers as the one at `upstream` does, with NaN for every value."""
    async with httpx2.AsyncClient(base_url=upstream, trust_env=False) as client:

        async def ask(request: Request) -> Response:
            headers = {"content-type": request.headers["content-type"]}
            answer = await client.post(request.url.path, content=await request.body(), headers=headers)
            return JSONResponse(_without_numbers(answer.json()), answer.status_code)

        routes = [Route(path, ask, methods=["POST"]) for path in ("/api/v1/query", "/api/v1/query_range")]
        async with serving(Starlette(routes=routes)) as url:
            yield url


def _without_numbers(answer: dict[str, object]) -> dict[str, object]:
    match answer:
        case {"data": {"result": list(series)}}:
            for one in series:
                if "value" in one:
                    one["value"][1] = "NaN"
                for point in one.get("values", ()):
                    point[1] = "NaN"
    return answer
