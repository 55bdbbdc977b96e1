"""A directory of rendered files: what in it is ours, how it stands against the policy, and how it is brought there.

Which files are ours is told by a list of them with their digests, in the form of `sha256sum`. Nothing else in the
directory is ever written or removed.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rollguard.render.file import File

LIST = "rollguard-files.sha256"
LINE = re.compile(r"([0-9a-f]{64})  (.+)")
STAGING = ".rollguard-"
"""How the temporary places are called. One is left only where the process was killed."""


class Unlisted(Exception):
    """The list cannot be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A file that is not as it would be rendered now."""

    path: str
    before: bytes | None
    """None where there is none."""
    after: bytes | None
    """None where it is not rendered any more."""
    edited: bool = False
    """It was changed since it was rendered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a directory stands against the files that are wanted."""

    changes: tuple[Change, ...]
    """In the order of their paths; the list is not among them."""
    in_the_way: tuple[str, ...]
    """Not ours, and where a file of ours has to go: nothing is written."""
    foreign: tuple[str, ...]
    """Neither ours nor in the way: left alone. Folders end with `/`."""
    listed: str
    """The list as it is."""
    wanted: str
    """The list as it will be."""


def standing(folder: Path, files: Iterable[File]) -> Standing:
    """Looks at the directory, which need not exist. Raises OSError where it cannot be read, Unlisted where its list
    cannot be understood."""
    wanted = {each.path: each.text.encode() for each in files}
    listed = _read(folder / LIST) or b""
    ours = _ours(listed.decode(errors="replace"))
    changes, in_the_way = [], []
    for path, after in sorted(wanted.items()):
        blocker = _blocker(folder, path)
        before = None if blocker else _read(folder / path)
        if blocker or (before is not None and before != after and path not in ours):
            in_the_way.append(blocker or path)
        elif before != after:
            edited = before is not None and _digest(before) not in ours[path]
            changes.append(Change(path=path, before=before, after=after, edited=edited))
    for path, digests in ours.items():
        before = None if path in wanted or _blocker(folder, path) else _read(folder / path)
        if before is not None and _digest(before) in digests:
            changes.append(Change(path=path, before=before, after=None))
    known = {*wanted, *(each.path for each in changes), LIST}
    return Standing(
        changes=tuple(sorted(changes, key=lambda each: each.path)),
        in_the_way=tuple(sorted(set(in_the_way))),
        foreign=tuple(sorted(set(_foreign(folder, known)) - set(in_the_way))),
        listed=listed.decode(errors="replace"),
        wanted=_lines((_digest(text), path) for path, text in wanted.items()),
    )


def bring(folder: Path, found: Standing) -> None:
    """Makes the changes. Each file is complete or untouched at any moment; a new directory appears whole.

    Raises OSError where something cannot be written.
    """
    if not found.changes and found.listed == found.wanted:
        return
    if folder.is_dir():
        _renew(folder, found)
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _staging(folder.parent, f"{STAGING}{folder.name}-") as place:
        new = Path(place) / "new"
        new.mkdir()
        _write(new, {**_texts(found), LIST: found.wanted.encode()})
        new.rename(folder)


def _renew(folder: Path, found: Standing) -> None:
    with _staging(folder, STAGING) as temporary:
        place = Path(temporary)
        # What is ours is written down before it is there: after a kill in between the rest can be done.
        _write(
            place, {LIST: "".join(sorted({*found.listed.splitlines(True), *found.wanted.splitlines(True)})).encode()}
        )
        (place / LIST).replace(folder / LIST)
        _write(place, {**_texts(found), LIST: found.wanted.encode()})
        for path in _texts(found):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).replace(folder / path)
        for each in found.changes:
            if each.after is None:
                _remove(folder, each.path)
        (place / LIST).replace(folder / LIST)


def _texts(found: Standing) -> dict[str, bytes]:
    return {each.path: each.after for each in found.changes if each.after is not None}


def _staging(within: Path, prefix: str) -> tempfile.TemporaryDirectory[str]:
    """A temporary place that is gone afterwards, whatever happens."""
    return tempfile.TemporaryDirectory(dir=within, prefix=prefix, ignore_cleanup_errors=True)


def _write(place: Path, texts: Mapping[str, bytes]) -> None:
    for path, text in texts.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(text)


def _remove(folder: Path, path: str) -> None:
    (folder / path).unlink()
    for parent in PurePosixPath(path).parents[:-1]:
        if any((folder / parent).iterdir()):
            return
        (folder / parent).rmdir()


def _read(path: Path) -> bytes | None:
    """The bytes; None where there is nothing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _blocker(folder: Path, path: str) -> str:
    """What keeps a file from being there: a link, or a file where a folder has to be, or the other way round."""
    parts = PurePosixPath(path).parts
    for n in range(1, len(parts) + 1):
        part = folder.joinpath(*parts[:n])
        fits = part.is_file() if n == len(parts) else part.is_dir()
        if part.is_symlink() or (part.exists() and not fits):
            return "/".join(parts[:n])
    return ""


def _foreign(folder: Path, known: set[str]) -> Iterator[str]:
    """What is there beside the known files; a folder without any of them is named once."""
    folders = {str(parent) for path in known for parent in PurePosixPath(path).parents}
    for inner, within, names in os.walk(folder):
        here = Path(inner).relative_to(folder).as_posix()
        at = {name: PurePosixPath(here, name).as_posix() for name in (*names, *within)}
        yield from (at[name] for name in names if at[name] not in known | folders)
        yield from (f"{at[name]}/" for name in within if at[name] not in known | folders)
        within[:] = (name for name in within if at[name] in folders)  # into no other: it may be large


def _ours(listed: str) -> dict[str, set[str]]:
    """The digests of each file that was rendered here: two while a rendering was broken off."""
    found: dict[str, set[str]] = {}
    for number, line in enumerate(listed.splitlines(), 1):
        match = LINE.fullmatch(line)
        if match is None or not _inside(match[2]):
            raise Unlisted(f"{LIST}:{number}: {line[:80]!r} is not a digest and a file below this directory")
        found.setdefault(match[2], set()).add(match[1])
    return found


def _inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and pure.as_posix() == path and path not in (".", LIST)


def _lines(entries: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{digest}  {path}\n" for digest, path in sorted(entries, key=lambda each: each[1]))


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
