"""The picture of a mail for the docs: `python -m lab.mailed` draws it anew, by Chromium.

It is the mail that a real guard sends by a real mail server when a bad release of the lab has gone back.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lab import programs
from lab.pictures import PICTURES
from lab.processes import ProcessError
from lab.programs import ProgramError
from lab.scenarios.stage import ScenarioError, Stage
from lab.standins import mail
from lab.world import Lab, LabError, LabSettings

NAME = "translation"
GOOD, BAD = "v1-noerrors", "v2-errors-40pct"
END = "Recovered"
"""In the subject of the summary. Where there is no other channel the page about the rollback comes by mail as well."""
WIDTH = 720
"""Pixels."""
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
HEIGHT = "<script>document.title = document.documentElement.scrollHeight</script>"


async def received(lab: Lab, directory: Path) -> str:
    """The HTML of the summary of a release that was bad and went back."""
    stage = Stage(lab=lab, account=await lab.install())
    await lab.namespace(stage.namespace)
    async with mail.serving(directory) as server:
        by_mail = {
            **{"to": ["ops-team@example.com"], "from": "rollguard@example.com"},
            **{"host": "127.0.0.1", "port": server.port, "caFile": str(server.certificate)},
        }
        links = {"dashboard": "https://grafana.example.com/d", "runbook": "https://runbooks.example.com"}
        await stage.guarded(NAME, tag=GOOD, rps=60, notify={"email": by_mail}, links=links)
        await stage.release(NAME, BAD)
        await stage.until_undone(NAME, tag=GOOD)

        summaries: list[str] = []

        async def came() -> bool:
            bodies = [each.mail.get_body(("html",)) for each in server.taken if END in each.mail["Subject"]]
            summaries[:] = [str(body.get_content()) for body in bodies if body is not None]
            return bool(summaries)

        await stage.until(came, what="the summary", seen=lambda: [each.mail["Subject"] for each in server.taken])
        return summaries[0]


def draw(html: str, picture: Path) -> None:
    """Writes the page as PNG, as high as it is. Raises ProgramError without Chromium, and where it fails."""
    with tempfile.TemporaryDirectory() as place:
        page = Path(place) / "mail.html"
        page.write_text(html.replace("</body>", f"{HEIGHT}</body>"))
        measured = _chromium(Path(place), "--dump-dom", f"--window-size={WIDTH},100", page.as_uri())
        found = re.search(r"<title>(\d+)</title>", measured)
        if found is None:
            raise ProgramError("chromium did not say how high the mail is")
        page.write_text(html)
        _chromium(Path(place), f"--screenshot={picture}", f"--window-size={WIDTH},{found[1]}", page.as_uri())


def _chromium(profile: Path, *flags: str) -> str:
    program = shutil.which("chromium")
    if program is None:
        raise ProgramError("chromium is missing: `apt-get install chromium` brings it")
    command = [program, *QUIET, f"--user-data-dir={profile}", *flags]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    if ended.returncode != 0:
        raise ProgramError(f"chromium ended with {ended.returncode}: {ended.stderr[-500:]}")
    return ended.stdout


async def _drawn() -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with Lab.up(LabSettings(workdir=Path(directory) / "lab", say=print)) as lab:
            html = await received(lab, Path(directory) / "mail")
    await asyncio.to_thread(draw, html, PICTURES / "mail.png")
    print(f"drew {PICTURES / 'mail.png'}")


def main() -> int:
    """Returns 0 once it is drawn."""
    try:
        programs.require()
        asyncio.run(_drawn())
    except (ProgramError, ProcessError, LabError, ScenarioError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
