"""A real Blender installs the extension from a repository over HTTP, and updates it, with its own commands.

    python3 -m vendor_setup.gui repository
    python3 tests/gui/repository.py ZIP BLENDER ...

Everything happens in a temporary folder and on the loopback interface. tests/blender/test_repository.py does the same
inside Blender as a module. Exit code 0: all went as told.
"""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

NAME = "splat_matte_test"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


def main(package: Path, blender: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="splat-matte-") as scratch:
        folder, user = Path(scratch) / "repository", Path(scratch) / "user"
        folder.mkdir()
        extension = functools.partial(command, blender, user)
        handler = functools.partial(Quiet, directory=str(folder))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}/index.json"
            publish(folder, package, "0.1.0", extension)
            extension("repo-add", "--name", NAME, "--url", url, NAME)
            extension("install", "--sync", "--enable", f"{NAME}.splat_matte")
            assert version(user) == "0.1.0", version(user)
            publish(folder, package, "0.2.0", extension)
            extension("update", "--sync")
            assert version(user) == "0.2.0", version(user)
            extension("remove", f"{NAME}.splat_matte")
            server.shutdown()
    print("Installed 0.1.0, updated to 0.2.0, removed.")
    return 0


def command(blender: Sequence[str], user: Path, *arguments: str) -> None:
    """`blender --command extension ARGUMENTS`, with preferences of its own."""
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(user)}
    subprocess.run([*blender, "--online-mode", "--command", "extension", *arguments], env=environment, check=True)


def publish(folder: Path, package: Path, number: str, extension) -> None:
    """The extension under another version, with an index."""
    for old in folder.glob("*.zip"):
        old.unlink()
    with zipfile.ZipFile(package) as source, zipfile.ZipFile(folder / f"splat_matte-{number}.zip", "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == "blender_manifest.toml":
                data = data.replace(b'version = "0.1.0"', f'version = "{number}"'.encode())
            target.writestr(entry, data)
    extension("server-generate", "--html", "--repo-dir", str(folder))


def version(user: Path) -> str:
    manifest = user / "extensions" / NAME / "splat_matte" / "blender_manifest.toml"
    lines = manifest.read_text(encoding="utf-8").splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("version"))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
