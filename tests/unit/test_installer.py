"""What the installer decides: which torch, which files it trusts, what it says before it does anything."""

from __future__ import annotations

import http.server
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from addon.contract.errors import EngineError
from addon.installer import install, pins, self_test, torch_build
from addon.installer.environment import Package
from addon.installer.plan import InstallPlan, free_space
from addon.installer.torch_build import APPLE, CPU, CUDA, OLD_CUDA, PYPI_CPU, PYPI_CUDA, ROCM, Build, Machine, choose
from addon.runtime.watch import megabytes

NVIDIA = {"nvidia": True, "driver": (580, 95, 5), "capability": (8, 9)}


@pytest.mark.parametrize(
    ("machine", "builds"),
    [
        (Machine("linux"), (CPU, PYPI_CUDA)),  # a tenth of the size of the default registry's
        (Machine("win32"), (CPU, PYPI_CPU)),
        (Machine("darwin"), (APPLE,)),
        (Machine("linux", **NVIDIA), (PYPI_CUDA,)),
        (Machine("win32", **NVIDIA), (CUDA, CPU, PYPI_CPU)),  # the default registry has no CUDA for Windows
        (Machine("linux", nvidia=True), (PYPI_CUDA,)),  # a driver that does not say its version
        (Machine("linux", True, (570, 86), (8, 9)), (OLD_CUDA, CPU, PYPI_CUDA)),
        (Machine("win32", True, (551, 23), (8, 9)), (OLD_CUDA, CPU, PYPI_CPU)),
        (Machine("linux", True, (580, 95), (6, 1)), (OLD_CUDA, CPU, PYPI_CUDA)),  # before Turing
        (Machine("linux", True, (470, 82), (8, 6)), (CPU, PYPI_CUDA)),
        (Machine("linux", amd=True), (ROCM, CPU, PYPI_CUDA)),
        (Machine("win32", amd=True), (CPU, PYPI_CPU)),
        (Machine("darwin", intel_mac=True), (APPLE,)),
    ],
)
def test_builds(machine: Machine, builds: tuple[Build, ...]) -> None:
    found = choose(machine)
    assert found.builds == builds
    assert bool(found.note) == (machine.driver == (470, 82) or machine.intel_mac)


@pytest.mark.parametrize(
    ("platform", "wish", "builds"),
    [
        ("linux", "cpu", (CPU, PYPI_CUDA)),
        ("darwin", "cpu", (APPLE,)),
        ("linux", "cu130", (CUDA, PYPI_CUDA)),
        ("win32", "cu130", (CUDA,)),  # never the CPU's in secret
        ("linux", "cu126", (OLD_CUDA,)),
        ("linux", "rocm7.2", (ROCM,)),
    ],
)
def test_a_wish_wins(platform: str, wish: str, builds: tuple[Build, ...]) -> None:
    assert choose(Machine(platform, **NVIDIA), wish).builds == builds


def test_what_nvidias_tool_says() -> None:
    assert torch_build._read_smi("580.95.05, 8.9\n580.95.05, 6.1\n") == ((580, 95, 5), (6, 1))
    assert torch_build._read_smi("581.80, [N/A]") == ((581, 80), ())
    assert torch_build._read_smi("") == ((), ())


def test_an_index_that_can_not_be_reached_is_passed_over() -> None:
    assert torch_build.first_reachable((OLD_CUDA, CPU, PYPI_CPU), lambda build: build == CPU) == CPU
    assert torch_build.first_reachable((OLD_CUDA, CPU, PYPI_CPU), lambda build: False) == PYPI_CPU
    assert torch_build.first_reachable((ROCM,), lambda build: False) is None


class _Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/good/torch/" else 404)
        self.end_headers()
        self.wfile.write(b"<a>torch-2.13.0+cpu-cp311.whl</a>")

    def log_message(self, *arguments: object) -> None:
        pass


def test_what_an_index_offers() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Index) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        assert torch_build.index_offers(f"{root}/good", "torch-2.13.0")
        assert not torch_build.index_offers(f"{root}/good", "torch-2.14.0")
        assert not torch_build.index_offers(f"{root}/bad", "torch-2.13.0")
        server.shutdown()
    assert not torch_build.index_offers(f"{root}/good", "torch-2.13.0")


def test_an_index_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert not torch_build.index_offers(index, "torch", patience=0.2)


# --- which files are trusted

TORCH = pins.version_of("torch")
KNOWN = f"torch-{TORCH}+cpu-cp311-cp311-win_amd64.whl"
SHA = "0" * 64


def expected(name: str, version: str, url: str, sha256: str) -> str:
    return install._expected(Package(name, version, url, sha256))


def test_pinned_files() -> None:
    numpy = pins.version_of("numpy")
    known = next(iter(pins.hashes_of("numpy", numpy, "")))
    url = f"https://mirror.example/numpy-{numpy}.whl"  # a pinned file may come from anywhere
    assert expected("numpy", numpy, url, known) == known
    with pytest.raises(EngineError, match="another"):
        expected("numpy", numpy, url, SHA)
    with pytest.raises(EngineError, match="does not say"):
        expected("numpy", numpy, url, "")


def test_pytorchs_own_builds() -> None:
    """A known file must be that file; others are as good as the index that they come from."""
    index = "https://download.pytorch.org/whl"
    (known,) = pins.hashes_of("torch", f"{TORCH}+cpu", KNOWN)
    url = f"{index}/cpu/{KNOWN.replace('+', '%2B')}"
    assert expected("torch", f"{TORCH}+cpu", url, known) == known
    assert expected("torch", f"{TORCH}+cpu", url, "") == known  # for some files that index has no hash
    with pytest.raises(EngineError, match="another"):
        expected("torch", f"{TORCH}+cpu", url, SHA)
    assert expected("triton-rocm", "3.6.0", f"{index}/triton_rocm-3.6.0.whl", "") == ""
    assert expected("torch", f"{TORCH}+rocm7.2", "file:///wheels/torch.whl", SHA) == SHA
    for elsewhere in ("https://evil.example/torch.whl", f"http{index[5:]}/torch.whl", "https://evilpytorch.org/t.whl"):
        with pytest.raises(EngineError, match="not pinned"):
            expected("torch", f"{TORCH}+rocm7.2", elsewhere, SHA)


# --- what is said


def test_the_plan_in_words(tmp_path: Path) -> None:
    first, second = InstallPlan(tmp_path).in_words(Machine("linux"))
    assert f"PyTorch {TORCH} for the CPU" in first
    assert "360 MB from pypi.org and download.pytorch.org" in first
    assert str(tmp_path / "runtime") in second
    assert "are free there" in second
    first, *_ = InstallPlan(tmp_path, wheels=Path("/wheels")).in_words(Machine("linux", **NVIDIA))
    assert "NVIDIA" in first
    assert "/wheels, without the network" in first.replace("\\", "/")
    *_, note = InstallPlan(tmp_path).in_words(Machine("linux", True, (470, 82), (8, 6)))
    assert "470.82 is too old" in note


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free_space(tmp_path / "not" / "yet") > 0


@pytest.mark.parametrize(
    ("said", "code", "hint"),
    [
        ("ImportError: DLL load failed while importing _C", 1, "vc_redist"),
        ("OSError: [WinError 126] The specified module could not be found. Error loading c10.dll", 1, "vc_redist"),
        ("RuntimeError: CUDA error: no kernel image is available for execution on the device", 1, "CUDA 12.6"),
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
    """By the bare Python of a Blender: no site-packages at all."""
    import sys

    program = "import addon.installer.__main__, sys; assert not {'numpy', 'bpy', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-S", "-c", program], cwd=Path(__file__).parents[2], check=True)
