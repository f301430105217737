"""Exported layers and Cryptomatte, as Blender's own node reads them."""

import json
import os
import subprocess
from pathlib import Path

import bpy
import pytest
from conftest import ROOT, compositor

SIZE = (24, 16)
WRITE = """
import sys, numpy as np
from pathlib import Path
from PIL import Image
from addon.engine.export import export, prepare
from addon.engine.footage.footage import Reader, scan
from addon.contract.job import Job
from addon.contract.job_types import MatteObject, Point, Prompt
folder = Path(sys.argv[1])
Image.new("RGB", (24, 16)).save(folder / "shot.0001.png")
mattes = {"Camera": np.zeros((16, 24), np.uint8), "Hörse": np.zeros((16, 24), np.uint8)}
mattes["Camera"][2:10, 3:15] = 255
mattes["Hörse"][6:14, 9:20] = 102
marked = tuple(MatteObject(name, (Prompt(1, (Point(1, 1),)),)) for name in mattes)
job = Job(scan(folder)[0], marked, output=str(folder / "out"), target="layers")
print(export(prepare(job, Reader(job.footage)), lambda frame, name: mattes[name], frames=[1], key="", report={},
             on_frame=lambda *_: None, cancelled=lambda: False))
"""


@pytest.fixture(scope="module")
def exr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    command = [os.environ["SPLAT_MATTE_PYTHON"], "-c", WRITE, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip()) / "shot.0001.exr"


def picked(exr: Path, name: str, folder: Path) -> list[float]:
    """Return the matte that the Cryptomatte node gives for an object, row 0 at the bottom, one value per pixel."""
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    image = bpy.data.images.load(str(exr))
    assert tuple(image.size)  # asking for it reads the file
    assert image.type == "MULTILAYER"
    tree, output = compositor(scene)
    node = tree.nodes.new("CompositorNodeCryptomatteV2")
    node.source = "IMAGE"
    node.image = image
    assert node.layer_name == "CryptoObject"
    node.matte_id = name
    tree.links.new(node.outputs["Matte"], output.inputs[0])
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.render.filepath = str(folder / "picked.exr")
    bpy.ops.render.render(write_still=True)
    result = bpy.data.images.load(scene.render.filepath)
    return list(result.pixels)[::4]


@pytest.mark.parametrize(("name", "box", "value"), [("Camera", (2, 10, 3, 15), 1.0), ("Hörse", (6, 14, 9, 20), 0.4)])
def test_the_node_picks_the_matte(
    exr: Path, tmp_path: Path, name: str, box: tuple[int, int, int, int], value: float
) -> None:
    top, bottom, left, right = box
    pixels = picked(exr, name, tmp_path)
    for y in range(SIZE[1]):
        for x in range(SIZE[0]):
            expected = value if top <= y < bottom and left <= x < right else 0.0
            assert pixels[(SIZE[1] - 1 - y) * SIZE[0] + x] == pytest.approx(expected, abs=1e-3), (x, y)


def test_the_report_names_the_layers(exr: Path) -> None:
    report = json.loads(exr.parent.with_suffix(".json").read_text(encoding="utf-8"))["report"]["export"]
    assert report["layers"] == {"Camera": "Camera", "Hörse": "Hörse"}
