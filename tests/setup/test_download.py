"""Downloads against a real server that behaves as servers and networks do."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon.contract.errors import Cancelled, CheckpointError, OutputError
from addon.installer.download import download
from addon.runtime.watch import Watch

DATA = bytes(range(256)) * 8_000  # 2 MB
SHA256 = hashlib.sha256(DATA).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `data`; cuts the connection after the number of bytes that `cuts` says for each request in turn."""

    data = DATA
    resumes = True
    status = 200
    redirect = ""
    stalls = 0.0  # seconds, after a cut
    length: int | None = 0  # that it says the whole has; 0: the truth; None: it does not say
    shift = 0  # of a part, from what was asked for

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cuts: list[int] = []
        self.asked_from: list[int] = []  # by each request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/weights.pt"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        server.asked_from.append(start)
        if server.status != 200:
            self.send_error(server.status)
            return
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return
        if start and server.resumes:
            if start >= len(server.data):
                self.send_error(416)
                return
            self.send_response(206)
            start += server.shift
            self.send_header("Content-Range", f"bytes {start}-{len(server.data) - 1}/{len(server.data)}")
        else:
            start = 0
            self.send_response(200)
        body = server.data[start:]
        if server.length is not None:
            self.send_header("Content-Length", str(len(body) if start else server.length or len(body)))
        self.end_headers()
        cut = bool(server.cuts)
        if cut:
            body = body[: server.cuts.pop(0)]
        try:
            self.wfile.write(body)
            if cut:
                time.sleep(server.stalls)
        except ConnectionError:  # the client has all it wants
            pass

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


class Told(Watch):
    """Remembers what it was told; stops once so much is done."""

    def __init__(self, until: float = 2.0) -> None:
        self.words: list[str] = []
        self.until = until
        self.fraction = 0.0

    def progress(self, words: str, fraction: float) -> None:
        self.words.append(words)
        self.fraction = fraction

    def stopping(self) -> bool:
        return self.fraction >= self.until


def fetch(server: Server, target: Path, watch: Watch | None = None) -> None:
    download(server.url, target, len(DATA), SHA256, watch or Watch())


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_plain(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "weights.pt"
    told = Told()
    fetch(server, target, told)
    assert target.read_bytes() == DATA
    assert files(target.parent) == {"weights.pt"}
    assert "weights.pt: 0 kB of 2 MB" in told.words
    assert told.fraction == 1.0


def test_stopped_and_taken_up_again(server: Server, tmp_path: Path) -> None:
    told = Told(until=0.0)
    with pytest.raises(Cancelled, match="is kept"):
        fetch(server, tmp_path / "weights.pt", told)
    server.cuts = [500_000]
    with pytest.raises(Cancelled):
        fetch(server, tmp_path / "weights.pt", Told(until=0.1))
    assert files(tmp_path) == {"weights.pt.part"}
    fetch(server, tmp_path / "weights.pt")
    assert (tmp_path / "weights.pt").read_bytes() == DATA


def test_redirected(server: Server, tmp_path: Path) -> None:
    with Server() as front:
        front.redirect = server.url
        threading.Thread(target=front.serve_forever, args=(0.01,), daemon=True).start()
        server.cuts = [400_000]
        fetch(front, tmp_path / "weights.pt")
        front.shutdown()
    assert (tmp_path / "weights.pt").read_bytes() == DATA
    assert server.asked_from == [0, 400_000]


def test_a_server_that_stalls(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends some, then nothing, and keeps the line open."""
    monkeypatch.setattr("addon.installer.download._TIMEOUT", 0.3)
    server.cuts = [600_000]
    server.stalls = 1.0
    fetch(server, tmp_path / "weights.pt")
    assert (tmp_path / "weights.pt").read_bytes() == DATA
    assert server.asked_from == [0, 600_000]


@pytest.mark.parametrize("length", [len(DATA) - 1_000, len(DATA) + 1_000, None], ids=["less", "more", "none"])
def test_a_server_that_lies_about_the_length(server: Server, tmp_path: Path, length: int | None) -> None:
    server.length = length
    fetch(server, tmp_path / "weights.pt")
    assert (tmp_path / "weights.pt").read_bytes() == DATA


def test_a_server_that_sends_another_part(server: Server, tmp_path: Path) -> None:
    server.cuts = [300_000]
    server.shift = 10
    with pytest.raises(CheckpointError, match="another part"):
        fetch(server, tmp_path / "weights.pt")
    assert not (tmp_path / "weights.pt").exists()


def test_a_cut_connection_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.cuts = [300_000, 1_000_000, 0, 1]
    fetch(server, tmp_path / "weights.pt")
    assert (tmp_path / "weights.pt").read_bytes() == DATA
    assert server.asked_from == [0, 300_000, 1_300_000, 1_300_000, 1_300_001]


def test_the_next_run_goes_on(server: Server, tmp_path: Path) -> None:
    server.cuts = [500_000, 0, 0, 0]
    with pytest.raises(CheckpointError, match="resumes where it stopped") as caught:
        fetch(server, tmp_path / "weights.pt")
    assert caught.value.where == server.url
    assert files(tmp_path) == {"weights.pt.part"}
    server.asked_from.clear()
    fetch(server, tmp_path / "weights.pt")
    assert server.asked_from == [500_000]
    assert (tmp_path / "weights.pt").read_bytes() == DATA


def test_a_server_that_can_not_resume(server: Server, tmp_path: Path) -> None:
    server.resumes = False
    server.cuts = [700_000]
    fetch(server, tmp_path / "weights.pt")
    assert (tmp_path / "weights.pt").read_bytes() == DATA
    assert server.asked_from == [0, 700_000]


def test_what_is_here_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(DATA)
    fetch(server, tmp_path / "weights.pt")
    assert server.asked_from == []


@pytest.mark.parametrize("damaged", [DATA[:-1], bytes(len(DATA)), b""], ids=["short", "zeros", "empty"])
def test_a_damaged_file_is_replaced(server: Server, tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "weights.pt").write_bytes(damaged)
    fetch(server, tmp_path / "weights.pt")
    assert (tmp_path / "weights.pt").read_bytes() == DATA


@pytest.mark.parametrize("part", [DATA, DATA + b"more", b""], ids=["complete", "too long", "empty"])
def test_odd_parts(server: Server, tmp_path: Path, part: bytes) -> None:
    (tmp_path / "weights.pt.part").write_bytes(part)
    fetch(server, tmp_path / "weights.pt")
    assert files(tmp_path) == {"weights.pt"}
    assert (tmp_path / "weights.pt").read_bytes() == DATA


def test_a_failing_tls_names_certificates_and_proxies(server: Server, tmp_path: Path) -> None:
    """This server speaks no TLS, as some proxies don't."""
    secure = server.url.replace("http://", "https://")
    with pytest.raises(CheckpointError, match=r"No secure connection: .*SSL_CERT_FILE.*HTTPS_PROXY"):
        download(secure, tmp_path / "file", len(DATA), SHA256, Watch())


def test_another_file_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.data = bytes(len(DATA))
    with pytest.raises(CheckpointError, match="sha256 differs"):
        fetch(server, tmp_path / "weights.pt")
    assert files(tmp_path) == set()


def test_a_wrong_part_is_not_kept_for_ever(server: Server, tmp_path: Path) -> None:
    (tmp_path / "weights.pt.part").write_bytes(bytes(1_000))
    with pytest.raises(CheckpointError, match="sha256 differs"):
        fetch(server, tmp_path / "weights.pt")
    fetch(server, tmp_path / "weights.pt")
    assert (tmp_path / "weights.pt").read_bytes() == DATA


def test_a_longer_file_is_refused(server: Server, tmp_path: Path) -> None:
    server.data = b"!" + DATA
    with pytest.raises(CheckpointError, match="sha256 differs"):
        fetch(server, tmp_path / "weights.pt")
    assert not (tmp_path / "weights.pt").exists()


@pytest.mark.parametrize("resumes", [True, False])
def test_a_shorter_file_is_refused(server: Server, tmp_path: Path, resumes: bool) -> None:
    server.data = DATA[:-10]
    server.resumes = resumes
    with pytest.raises(CheckpointError) as caught:
        fetch(server, tmp_path / "weights.pt")
    assert caught.value.where == server.url
    assert not (tmp_path / "weights.pt").exists()


@pytest.mark.parametrize("status", [403, 404, 503])
def test_the_servers_refusal_is_told(server: Server, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(CheckpointError, match=str(status)):
        fetch(server, tmp_path / "weights.pt")
    assert server.asked_from == [0]
    assert files(tmp_path) == set()


def test_no_server(tmp_path: Path) -> None:
    with Server() as gone:
        url = gone.url
    with pytest.raises(CheckpointError, match="download failed") as caught:
        download(url, tmp_path / "weights.pt", len(DATA), SHA256, Watch())
    assert caught.value.where == url


def test_a_folder_that_can_not_be(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        fetch(server, tmp_path / "file" / "weights.pt")
    assert server.asked_from == []


def test_two_at_once(server: Server, tmp_path: Path) -> None:
    """The second waits for the first and finds its file."""
    threads = [threading.Thread(target=fetch, args=(server, tmp_path / "weights.pt")) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "weights.pt").read_bytes() == DATA
    assert server.asked_from == [0]
