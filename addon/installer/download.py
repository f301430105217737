"""Downloads that resume after an interruption and are verified by their hash."""

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
    """Download `url` to `target`, which exists only when it is complete and verified.

    Downloaded data is in `<name>.part` beside it until then, and the next call resumes from there. A correct `target`
    is not downloaded again.

    Args:
        url: the address.
        target: path of the file.
        size: the expected size in bytes.
        sha256: the expected hash; empty if it is unknown.
        watch: told of the progress, and asked whether to stop.
        kind: type of the error for a failed download.

    Raises:
        CheckpointError (kind): the server can't be reached, keeps disconnecting or sends another file.
        OutputError: the file can't be written.
        Cancelled: the user asked to stop; downloaded data is kept.
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
                    "The downloaded file is not the published one: its sha256 differs.",
                    where=url,
                    hint="Try again. If it happens twice, a proxy or a filter changes downloads.",
                )
            patiently(lambda: part.replace(target))
    except OSError as error:
        raise OutputError(f"This file or folder can't be written: {error.strerror}.", where=str(target)) from None


def open_url(request: urllib.request.Request, patience: float) -> Any:
    """Call urlopen, which uses the system's proxies, with certificates that exist on every system.

    The Python in Blender's official Linux builds looks for certificates where no distribution has them. So those of
    certifi, which comes with Blender, are used, unless SSL_CERT_FILE or SSL_CERT_DIR is set.
    """
    context = ssl.create_default_context()
    if not context.get_ca_certs() and importlib.util.find_spec("certifi"):
        context.load_verify_locations(importlib.import_module("certifi").where())
    return urllib.request.urlopen(request, timeout=patience, context=context)


def _fetch_all(url: str, part: Path, size: int, watch: Watch, kind: type[MatteError]) -> None:
    """Download to the end of `part` until it has `size` bytes."""
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
        except ssl.SSLError as error:  # another try would end alike
            reason = getattr(error, "verify_message", "") or error.reason or str(error)
            raise kind(
                f"No secure connection: {reason}.",
                where=url,
                hint="A proxy or a virus scanner may look into connections with a certificate of its own. Name the "
                "file with its certificate in SSL_CERT_FILE, the proxy in HTTPS_PROXY, and start Blender again.",
            ) from None
        except _NetworkError as error:
            reason = str(error)
        progressed = part.exists() and part.stat().st_size > had
        failures = 0 if progressed else failures + 1
        if failures == _TRIES_WITHOUT_PROGRESS:
            raise kind(
                f"The download failed: {reason}.",
                where=url,
                hint="Check the connection and try again: the download resumes where it stopped.",
            )


class _NetworkError(Exception):
    """An error that a second try may solve."""


def _in_words(reason: object) -> str:
    """Without the number of an error of the system."""
    return getattr(reason, "strerror", None) or str(reason)


def _fetch_once(url: str, part: Path, had: int, size: int, watch: Watch) -> None:
    request = urllib.request.Request(url, headers={"Range": f"bytes={had}-"} if had else {})
    try:
        answer = open_url(request, _TIMEOUT)
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            raise error.reason from None
        raise _NetworkError(_in_words(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise _NetworkError(_in_words(error)) from None
    with answer:
        goes_on = answer.status == http.client.PARTIAL_CONTENT
        if goes_on and not answer.headers.get("Content-Range", "").startswith(f"bytes {had}-"):
            raise _NetworkError("the server sent another part of the file than requested")
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
                    raise _NetworkError(_in_words(error)) from None
                if not block:
                    return
                file.write(block)
                done += len(block)
            file.flush()
            os.fsync(file.fileno())


def _is_right(path: Path, sha256: str) -> bool:
    return not sha256 or sha256_of(path) == sha256


def sha256_of(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
