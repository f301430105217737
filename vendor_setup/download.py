"""Downloads that go on where they were cut off and are checked before they count."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from addon.errors import CheckpointError, OutputError

from .lock import only_one
from .say import megabytes, say

_BLOCK = 1 << 18
_TIMEOUT = 30.0  # seconds without a byte
_TRIES_WITHOUT_PROGRESS = 3
_SECONDS_BETWEEN_LINES = 5.0


def download(url: str, target: Path, size: int, sha256: str) -> None:
    """Bring `url` to `target`, which appears whole and checked or not at all.

    What has come in lies beside it as `<name>.part`; the next call goes on from there. A `target` that is right
    already is kept.

    Args:
        size: bytes that the file must have.
        sha256: what it must hash to.

    Raises:
        CheckpointError: the server can't be reached, keeps cutting off, or sends another file.
        OutputError: the disk refuses.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        with only_one(target.with_name(f"{target.name}.lock"), target.name):
            if target.exists() and target.stat().st_size == size and _sha256(target) == sha256:
                say(f"{target.name} is here already.")
                return
            _fetch_all(url, part, size)
            say(f"Checking {target.name} ...")
            if _sha256(part) != sha256:
                part.unlink()
                raise CheckpointError(
                    "What came is not the file that was published (its sha256 differs).",
                    where=url,
                    hint="Try again; if it happens twice, something between here and there changes downloads.",
                )
            part.replace(target)
    except OSError as error:
        raise OutputError(f"It can't be written: {error.strerror}.", where=str(target)) from None


def _fetch_all(url: str, part: Path, size: int) -> None:
    """Append to `part` until it has `size` bytes."""
    failures = 0
    while (had := part.stat().st_size if part.exists() else 0) != size:
        if had > size:
            part.unlink()
            continue
        try:
            _fetch_once(url, part, had, size)
            reason = "the connection was cut"
        except urllib.error.HTTPError as error:
            raise CheckpointError(
                f"The server answers {error.code} {error.reason}.", where=url, hint="Try again later."
            ) from None
        except _NetworkError as error:
            reason = str(error)
        progressed = part.exists() and part.stat().st_size > had
        failures = 0 if progressed else failures + 1
        if failures == _TRIES_WITHOUT_PROGRESS:
            raise CheckpointError(
                f"It can't be downloaded: {reason}.",
                where=url,
                hint="Check the connection and run this again: it goes on where it stopped.",
            )


class _NetworkError(Exception):
    """Anything that a second try may mend."""


def _fetch_once(url: str, part: Path, had: int, size: int) -> None:
    request = urllib.request.Request(url, headers={"Range": f"bytes={had}-"} if had else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise _NetworkError(getattr(error, "reason", None) or error) from None
    with answer:
        goes_on = answer.status == http.client.PARTIAL_CONTENT
        if goes_on and not answer.headers.get("Content-Range", "").startswith(f"bytes {had}-"):
            raise _NetworkError("the server sends another part than it was asked for")
        with part.open("ab" if goes_on else "wb") as file:
            done = had if goes_on else 0
            next_line = 0.0
            while done < size:
                if time.monotonic() >= next_line:
                    next_line = time.monotonic() + _SECONDS_BETWEEN_LINES
                    say(f"{part.stem}: {megabytes(done)} of {megabytes(size)}")
                try:
                    block = answer.read(min(_BLOCK, size - done))
                except (OSError, http.client.HTTPException) as error:
                    raise _NetworkError(error) from None
                if not block:
                    return
                file.write(block)
                done += len(block)
            file.flush()
            os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
