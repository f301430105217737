"""The extension from a repository of one's own: Blender installs and updates it over HTTP."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest
from conftest import blender_ext

from addon.contract.errors import EngineError
from vendor_setup.package import check

NAME = "splat_matte_test"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL that it is served at."""
    folder = tmp_path / "repository"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}/index.json"
        server.shutdown()


def publish(folder: Path, package: Path, version: str) -> None:
    """This extension under another version, with an index."""
    for old in folder.glob("*.zip"):
        old.unlink()
    with zipfile.ZipFile(package) as source, zipfile.ZipFile(folder / f"splat_matte-{version}.zip", "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == "blender_manifest.toml":
                data = data.replace(b'version = "0.1.0"', f'version = "{version}"'.encode())
            target.writestr(entry, data)
    command = [sys.executable, str(blender_ext()), "server-generate", "--html", "--repo-dir", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def remote(web: tuple[Path, str]) -> Iterator[int]:
    """The index of the repository in Blender's preferences."""
    system = bpy.context.preferences.system
    before, system.use_online_access = system.use_online_access, True
    repos = bpy.context.preferences.extensions.repos
    repo = repos.new(name=NAME, module=NAME, remote_url=web[1])
    yield list(repos).index(repo)
    repos.remove(repo)
    system.use_online_access = before


def installed_version() -> str:
    directory = Path(bpy.utils.user_resource("EXTENSIONS")) / NAME / "splat_matte" / "blender_manifest.toml"
    return next(line for line in directory.read_text(encoding="utf-8").splitlines() if line.startswith("version"))


def test_installed_and_updated(web: tuple[Path, str], remote: int, package: Path) -> None:
    folder, _ = web
    publish(folder, package, "0.1.0")
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    (entry,) = index["data"]
    assert entry["id"] == "splat_matte"
    assert entry["archive_size"] == (folder / "splat_matte-0.1.0.zip").stat().st_size
    bpy.ops.extensions.repo_sync(repo_index=remote)
    bpy.ops.extensions.package_install(repo_index=remote, pkg_id="splat_matte", enable_on_install=False)
    assert installed_version() == 'version = "0.1.0"'

    publish(folder, package, "0.2.0")
    bpy.ops.extensions.repo_sync(repo_index=remote)
    bpy.ops.extensions.package_upgrade_all(use_active_only=False)
    assert installed_version() == 'version = "0.2.0"'
    bpy.ops.extensions.package_uninstall(repo_index=remote, pkg_id="splat_matte")


def test_the_zip_is_checked(package: Path, tmp_path: Path) -> None:
    check(package)
    copy = Path(shutil.copy(package, tmp_path))
    with zipfile.ZipFile(copy, "a") as archive:
        archive.writestr("vendor_setup/cli.py", "")
    with pytest.raises(EngineError, match=r"vendor_setup/cli\.py"):
        check(copy)
    large = Path(shutil.copy(package, tmp_path / "large.zip"))
    with zipfile.ZipFile(large, "a") as archive:
        archive.writestr("addon/weights.pt", bytes(21_000_000))
    with pytest.raises(EngineError, match="20 MB are allowed"):
        check(large)
