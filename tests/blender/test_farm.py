"""Send to Farm: the bundle, what Flamenco's manager is sent over HTTP, and what is told when it can't be."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import bpy
import pytest
from conftest import part
from PIL import Image


class Manager(HTTPServer):
    """Flamenco's manager, as far as its API describes POST /api/v3/jobs."""

    def __init__(self) -> None:
        super().__init__(("localhost", 0), Answering)
        self.heard: list[tuple[str, str, dict]] = []
        self.status = 200


class Answering(BaseHTTPRequestHandler):
    server: Manager

    def do_POST(self) -> None:
        data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append((self.path, self.headers["Content-Type"], data))
        body = json.dumps({"code": self.server.status, "message": "job type not found", "id": "1"}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def manager() -> Iterator[Manager]:
    with Manager() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def clip(tmp_path: Path) -> Iterator[bpy.types.MovieClip]:
    """Two frames, marked on the first."""
    folder = tmp_path / "shot"
    folder.mkdir()
    for frame in (1, 2):
        Image.new("RGB", (64, 48)).save(folder / f"shot.{frame:04d}.png")
    clip = bpy.data.movieclips.load(str(folder / "shot.0001.png"))
    bpy.context.scene.active_clip = clip
    track = clip.tracking.objects["Camera"].tracks.new(name="Track", frame=1)
    track.markers.insert_frame(1, co=(0.5, 0.5))
    yield clip
    chosen = part("settings.preferences").preferences()
    for name in ("farm", "farm_manager", "farm_device", "farm_folder"):
        chosen.property_unset(name)
    bpy.context.preferences.system.use_online_access = False


def test_flamenco_is_sent_the_job(clip, manager: Manager, tmp_path: Path) -> None:
    chosen = part("settings.preferences").preferences()
    chosen.farm, chosen.farm_device, chosen.farm_folder = "flamenco", "cpu", str(tmp_path / "bundles")
    chosen.farm_manager = f"http://localhost:{manager.server_port}/"
    assert not bpy.ops.splat_matte.send_to_farm.poll(), "Blender is offline"
    bpy.context.preferences.system.use_online_access = True
    assert bpy.ops.splat_matte.send_to_farm() == {"FINISHED"}
    ((path, kind, job),) = manager.heard
    assert (path, kind, job["type"]) == ("/api/v3/jobs", "application/json", "splat-matte")
    bundle = Path(job["settings"]["bundle"])
    assert bundle.parent == tmp_path / "bundles"
    (shot,) = json.loads(job["settings"]["plan"])["shots"]
    sent = json.loads((bundle / "jobs" / f"{shot['name']}.json").read_text(encoding="utf-8"))
    assert (shot["frames"], sent["model"]["device"], sent["target"]) == (2, "cpu", clip.splat_matte.target)
    assert not list((tmp_path / "shot").rglob("v001*")), "nothing is exported here"

    manager.status = 404
    with pytest.raises(RuntimeError, match=r"Flamenco rejected the job \(404: job type not found\)"):
        bpy.ops.splat_matte.send_to_farm()
    chosen.farm_manager = "manager:8080"
    with pytest.raises(RuntimeError, match="This is not an address"):
        bpy.ops.splat_matte.send_to_farm()
    assert len(list((tmp_path / "bundles").iterdir())) == 3, "a folder for each time"


def test_others_are_told_how(clip, tmp_path: Path) -> None:
    chosen = part("settings.preferences").preferences()
    chosen.farm = "openjd"
    assert bpy.ops.splat_matte.send_to_farm() == {"FINISHED"}
    result = part("tasks.job_run").latest().result
    bundle = tmp_path / "shot" / "shot_matte" / "farm" / "shot_0001_openjd"
    assert Path(result["folder"]) == bundle
    assert "deadline bundle submit" in result["command"] and (bundle / "template.json").is_file()
