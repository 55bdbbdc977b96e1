"""A release with 15% errors: undone to the last good version; recovery is seen, and an incident is kept."""

import base64
import gzip
import json
from typing import Any

from lab.scenarios.stage import Stage, topics

NAME = "speech-to-text"
GOOD = "v1-noerrors"
"""Without the usual 0.2% of errors, which can delay the end of a recovery that is looked at for seconds only."""

PERHAPS = ("critical",)
"""A third of the scaled window is some 100 requests: by chance one has under 10% errors at first, all have over 5%."""


async def play(stage: Stage) -> None:
    """Nobody but the guard touches the bad release."""
    await stage.guarded(NAME, tag=GOOD, rps=60)
    await stage.release(NAME, "v2-errors-15pct")
    rollout = await stage.until_undone(NAME, tag=GOOD)
    await expect_evidence_and_incident(stage, rollout)
    stage.expect(await stage.error_ratio(NAME) < 0.05, "clients see the errors of the old version only")


async def expect_evidence_and_incident(stage: Stage, rollout: Any) -> None:
    """What is kept of it: timeline, evidence without secrets, notices that were accepted, and the incident's page."""
    kinds = {entry["kind"] for entry in rollout["timeline"]}
    wanted = {"rollout", "verdict", "decision", "evidence", "plan", "step", "recovery", "notice"}
    stage.expect_equal(wanted - kinds, set(), "kinds of lines missing in the timeline")
    told = [topic for topic in topics(rollout) if topic not in PERHAPS]
    stage.expect_equal(told, ["rollout-began", "rolled-back", "recovered"], "notices")
    unit = await stage.unit(NAME)
    stage.expect_equal(len(unit["status"]["automaticRollbacks"]), 1, "automatic rollbacks of the unit")
    files = await evidence(stage, rollout)
    logs = {name: text for name, text in files.items() if name.endswith(".log")}
    stage.expect("pods.json" in files and "events.json" in files, "pod statuses and events are in the evidence")
    stage.expect(any("unhandled exception" in text for text in logs.values()), "the new version's errors are in a log")
    stage.expect(all("[masked]" in text for text in logs.values()), "what looks like a secret is masked in each log")
    stage.expect("lab-fake-token" not in json.dumps(files), "the token is nowhere in the evidence")
    listed = json.loads(await stage.rollguard("incident", "list", "-o", "json"))
    mine = [each for each in listed if each["metadata"]["name"] == rollout["name"]]
    stage.expect_equal(len(mine), 1, "incidents of this rollout")
    page = await stage.rollguard("incident", "show", rollout["incident"])
    for heading in ("## Evidence", "## What was done", "## Timeline"):
        stage.expect(heading in page, f"the incident has {heading}")


async def evidence(stage: Stage, rollout: Any) -> dict[str, str]:
    """The saved files by name, unpacked."""
    files: dict[str, str] = {}
    for name in rollout["evidence"]:
        saved = await stage.lab.api.get(f"/api/v1/namespaces/{stage.namespace}/configmaps/{name}")
        for file, content in saved["binaryData"].items():
            files[file.removesuffix(".gz")] = gzip.decompress(base64.b64decode(content)).decode()
    return files
