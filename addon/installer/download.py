"""Downloads that go on where they were cut off and are checked before they count."""

from __future__ import annotations

import hashlib
import http.client
import importlib
import importlib.util
import os
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from ..contract.disk import patiently
from ..contract.errors import CheckpointError, MatteError, OutputError
from ..runtime.lock import only_one
from ..runtime.watch import Watch, megabytes

_BLOCK = 1 << 18
_TIMEOUT = 30.0  # seconds without a byte
_TRIES_WITHOUT_PROGRESS = 3
_SECONDS_BETWEEN_REPORTS = 0.2


def download(
    url: str, target: Path, size: int, sha256: str, watch: Watch, kind: type[MatteError] = CheckpointError
) -> None:
    """Bring `url` to `target`, which appears whole and checked or not at all.

    What has come in lies beside it as `<name>.part`; the next call goes on from there. A `target` that is right
    already is kept.

    Args:
        size: bytes that the file must have.
        sha256: what it must hash to; empty if nobody knows.
        kind: of the error when it fails.

    Raises:
        CheckpointError (kind): the server can't be reached, keeps cutting off, or sends another file.
        OutputError: the disk refuses.
        Cancelled: what has come in is kept.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        with only_one(target.with_name(f"{target.name}.lock"), target.name, watch):
            if target.exists() and target.stat().st_size == size and _is_right(target, sha256):
                watch.note(f"{target.name} is here already.")
                return
            _fetch_all(url, part, size, watch, kind)
            watch.progress(f"Checking {target.name}", 1.0)
            if not _is_right(part, sha256):
                patiently(part.unlink)
                raise kind(
                    "What came is not the file that was published (its sha256 differs).",
                    where=url,
                    hint="Try again; if it happens twice, something between here and there changes downloads.",
                )
            patiently(lambda: part.replace(target))
    except OSError as error:
        raise OutputError(f"It can't be written: {error.strerror}.", where=str(target)) from None


def open_url(request: urllib.request.Request, patience: float) -> Any:
    """urlopen, which follows the system's proxies, with certificates on every system.

    The Python inside Blender's own Linux builds looks for them where no distribution has any; certifi, which comes
    with Blender, brings its own. SSL_CERT_FILE and SSL_CERT_DIR are heard first.
    """
    context = ssl.create_default_context()
    if not context.get_ca_certs() and importlib.util.find_spec("certifi"):
        context.load_verify_locations(importlib.import_module("certifi").where())
    return urllib.request.urlopen(request, timeout=patience, context=context)


def _fetch_all(url: str, part: Path, size: int, watch: Watch, kind: type[MatteError]) -> None:
    """Append to `part` until it has `size` bytes."""
    failures = 0
    while (had := part.stat().st_size if part.exists() else 0) != size:
        if had > size:
            patiently(part.unlink)
            continue
        watch.check()
        try:
            _fetch_once(url, part, had, size, watch)
            reason = "the connection was cut"
        except urllib.error.HTTPError as error:
            words = f"The server answers {error.code} {error.reason}."
            raise kind(words, where=url, hint="Try again later.") from None
        except _NetworkError as error:
            reason = str(error)
        progressed = part.exists() and part.stat().st_size > had
        failures = 0 if progressed else failures + 1
        if failures == _TRIES_WITHOUT_PROGRESS:
            raise kind(
                f"It can't be downloaded: {reason}.",
                where=url,
                hint="Check the connection and run this again: it goes on where it stopped.",
            )


class _NetworkError(Exception):
    """Anything that a second try may mend."""


def _fetch_once(url: str, part: Path, had: int, size: int, watch: Watch) -> None:
    request = urllib.request.Request(url, headers={"Range": f"bytes={had}-"} if had else {})
    try:
        answer = open_url(request, _TIMEOUT)
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
            next_report = 0.0
            while done < size:
                watch.check()
                if time.monotonic() >= next_report:
                    next_report = time.monotonic() + _SECONDS_BETWEEN_REPORTS
                    watch.progress(f"{part.stem}: {megabytes(done)} of {megabytes(size)}", done / size)
                try:
                    block = answer.read1(min(_BLOCK, size - done))  # what has come, without waiting for more
                except (OSError, http.client.HTTPException) as error:
                    raise _NetworkError(error) from None
                if not block:
                    return
                file.write(block)
                done += len(block)
            file.flush()
            os.fsync(file.fileno())


def _is_right(path: Path, sha256: str) -> bool:
    return not sha256 or sha256_of(path) == sha256


def sha256_of(path: Path) -> str:
    """Of a file's content. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
