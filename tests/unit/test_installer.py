"""What the installer decides: which torch, which files it trusts, what it says before it does anything."""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from addon.contract.disk import free_space
from addon.contract.errors import Cancelled, EngineError
from addon.installer import install, pins, self_test, uv
from addon.installer.environment import Package, explain
from addon.installer.index import has_torch, index_offers
from addon.installer.plan import InstallPlan
from addon.installer.torch_build import Build, Gpu, Machine
from addon.runtime.locate import can_start
from addon.runtime.watch import Watch, megabytes

NVIDIA = Machine("linux", nvidia=True, driver=(580, 95, 5), gpus=(Gpu("RTX 4090", (8, 9)),))


class _Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/good/torch/" else 404)
        self.end_headers()
        self.wfile.write(b"<a>torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl</a>")

    def log_message(self, *arguments: object) -> None:
        pass


def test_what_an_index_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Index) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        assert index_offers(f"{root}/good", "torch-2.13.0", Watch())
        monkeypatch.setattr(Build, "index", f"{root}/good")
        here = Build("test", "a test", "cpu", {})
        for machine, python, there in (
            (Machine("linux"), (3, 11), True),
            (Machine("linux"), (3, 13), False),
            (Machine("linux", "arm64"), (3, 11), False),
            (Machine("win32"), (3, 11), False),
        ):
            assert has_torch(machine, python, here, Watch()) is there
        assert not index_offers(f"{root}/good", "torch-2.14.0", Watch())
        assert not index_offers(f"{root}/bad", "torch-2.13.0", Watch())
        server.shutdown()
    assert not index_offers(f"{root}/good", "torch-2.13.0", Watch())


class Impatient(Watch):
    def stopping(self) -> bool:
        return True


def test_an_index_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert not index_offers(index, "torch", Watch(), patience=0.2)
        with pytest.raises(Cancelled):
            index_offers(index, "torch", Impatient(), patience=3600)


# --- which files are trusted

TORCH = pins.version_of("torch")
KNOWN = f"torch-{TORCH}+cpu-cp311-cp311-win_amd64.whl"
SHA = "0" * 64


def refuse(name: str, version: str, url: str, sha256: str) -> None:
    install._refuse_unknown(Package(name, version, url, sha256))


def test_pinned_files() -> None:
    numpy = pins.version_of("numpy")
    known = next(iter(pins.hashes_of("numpy", numpy, "")))
    url = f"https://mirror.example/numpy-{numpy}.whl"  # a pinned file may come from anywhere
    refuse("numpy", numpy, url, known)
    with pytest.raises(EngineError, match="another"):
        refuse("numpy", numpy, url, SHA)


def test_pytorchs_own_builds() -> None:
    """A known file must be that file; others are as good as the index that they come from."""
    index = "https://download.pytorch.org/whl"
    (known,) = pins.hashes_of("torch", f"{TORCH}+cpu", KNOWN)
    url = f"{index}/cpu/{KNOWN.replace('+', '%2B')}"
    refuse("torch", f"{TORCH}+cpu", url, known)
    with pytest.raises(EngineError, match="another"):
        refuse("torch", f"{TORCH}+cpu", url, SHA)
    refuse("triton-rocm", "3.6.0", f"{index}/triton_rocm-3.6.0.whl", SHA)
    refuse("torch", f"{TORCH}+rocm7.2", "file:///wheels/torch.whl", SHA)
    for elsewhere in ("https://evil.example/torch.whl", f"http{index[5:]}/torch.whl", "https://evilpytorch.org/t.whl"):
        with pytest.raises(EngineError, match="not pinned"):
            refuse("torch", f"{TORCH}+rocm7.2", elsewhere, SHA)


# --- what uv is told, and what it says


def test_pips_settings_are_uvs_options() -> None:
    settings = uv.read_pip_settings(
        "\n".join(
            [
                ":env:.extra-index-url='https://b.example/simple file:///c/simple'",
                "global.extra-index-url='https://ignored.example/simple'",
                "global.index-url='https://a.example/simple'",
                "install.trusted-host='a.example'",
                "download.index-url='https://other.example'",
                "global.cert='/certificates.pem'",
                "global.timeout=not a literal",
                "",
            ]
        )
    )
    environment: dict[str, str] = {}
    options = uv.registry(settings, environment)
    words = " ".join(options)
    assert "--default-index https://a.example/simple" in words
    assert "--index https://b.example/simple --index file:///c/simple" in words
    assert "--allow-insecure-host a.example" in words
    assert "ignored" not in words
    assert "other" not in words
    assert environment == {"SSL_CERT_FILE": "/certificates.pem"}
    assert "--no-index" in uv.registry({"no-index": "true"}, {})


def test_uv_hears_of_proxies_and_indexes_and_of_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"https": "http://proxy:1", "no": "localhost"})
    kept = {"UV_INDEX_URL": "https://a.example", "UV_INDEX_STUDIO_PASSWORD": "secret", "https_proxy": "http://own:2"}
    found = uv.uv_environment({**kept, "UV_PYTHON": "3.9", "UV_EXCLUDE_NEWER": "2020-01-01", "PYTHONPATH": "/x"})
    assert {name: value for name, value in found.items() if not name.startswith("PYTHON")} == kept | {
        "NO_PROXY": "localhost"
    }


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        (
            "error: Request failed after 3 retries in 4.9s\n  cause: Failed to fetch: https://a.example/simple/x/\n"
            "  cause: client error (Connect)\n  cause: Connection refused (os error 111)\n",
            "Request failed after 3 retries in 4.9s. Connection refused (os error 111).",
            "Check the connection",
        ),
        (
            "error: No solution found when resolving dependencies\n  cause: Because tiny was not found ...\n",
            "Because tiny was not found",
            "look at its name",
        ),
        (
            "error: Failed to fetch: `https://files.example/a.whl`\n  cause: invalid peer certificate: UnknownIssuer\n",
            "invalid peer certificate",
            "SSL_CERT_FILE",
        ),
        ("", "uv ended with 2.", "The log is"),
    ],
)
def test_a_failure_of_uv_in_words(said: str, message: str, hint: str) -> None:
    error = explain(said, 2, Path("install.log"))
    assert message in error.message
    assert hint in error.hint


def test_a_changed_file_is_named_by_uv_too() -> None:
    package = "`sly @ file:///a/sly-1.0.tar.gz`"
    said = f"error: Failed to build {package}\n  cause: Hash mismatch for {package}\n"
    error = explain(said, 1, Path("install.log"))
    assert "sha256 is another" in error.message
    assert error.where == "sly-1.0.tar.gz"


# --- what looks installed, and is not


def test_a_launcher_whose_python_is_gone(tmp_path: Path) -> None:
    """A Blender update on Windows: the venv's python.exe stays, what it starts does not."""
    base, runtime = tmp_path / "Blender 5.0", tmp_path / "runtime"
    python = runtime / "Scripts" / "python.exe"
    for folder in (base, python.parent):
        folder.mkdir(parents=True)
    for file in (base / "python.exe", python):
        file.touch()
    (runtime / "pyvenv.cfg").write_text(f"home = {base}\nversion = 3.11.13\n", encoding="utf-8")
    assert can_start(python, "win32")
    (base / "python.exe").unlink()
    assert not can_start(python, "win32")
    python.unlink()
    assert not can_start(python, "win32")


# --- what is said


def test_the_plan_in_words(tmp_path: Path) -> None:
    first, second = InstallPlan(tmp_path).in_words(Machine("linux"))
    assert f"PyTorch {TORCH} for the CPU" in first
    assert "412 MB from pypi.org and download.pytorch.org" in first
    assert str(tmp_path / "runtime") in second
    assert "are free there" in second
    first, *_ = InstallPlan(tmp_path, wheels=Path("/wheels")).in_words(NVIDIA)
    assert "NVIDIA" in first
    assert "/wheels, without the network" in first.replace("\\", "/")
    *_, note = InstallPlan(tmp_path).in_words(Machine("linux", nvidia=True, driver=(470, 82)))
    assert "470.82 is too old" in note
    (impossible,) = InstallPlan(tmp_path).in_words(Machine("darwin", "x86_64"))
    assert "Intel" in impossible


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free_space(tmp_path / "not" / "yet") > 0


@pytest.mark.parametrize(
    ("said", "code", "hint"),
    [
        ("ImportError: DLL load failed while importing _C", 1, "vc_redist"),
        ("OSError: [WinError 126] The specified module could not be found. Error loading c10.dll", 1, "vc_redist"),
        ("RuntimeError: CUDA error: no kernel image is available for execution on the device", 1, "choose Automatic"),
        ("", 103, "made from is gone"),
        ("torch.OutOfMemoryError: CUDA out of memory.", 1, "Close other programs"),
        ("The NVIDIA driver on your system is too old for CUDA", 1, "Update the GPU's driver"),
        ("", -11, "crashed"),
        ("", 0xC0000005, "crashed"),
        ("ModuleNotFoundError: No module named 'av'", 1, "install.log"),
    ],
)
def test_a_failed_self_test_says_what_to_do(said: str, code: int, hint: str) -> None:
    assert hint in self_test._explain(said, code, Path("install.log")).hint


def test_megabytes() -> None:
    assert megabytes(156_008_466) == "156 MB"
    assert megabytes(1_234_567_890) == "1,235 MB"
    assert megabytes(4_100) == "4 kB"


def test_it_starts_without_anything_installed() -> None:
    """The installer runs with the bare Python of a Blender, without any site-packages."""

    program = "import addon.installer.__main__, sys; assert not {'numpy', 'bpy', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-S", "-c", program], cwd=Path(__file__).parents[2], check=True)
