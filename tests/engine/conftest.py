"""Footage and weights for the engine's tests: real frames, the real sam2."""

import dataclasses
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from addon.checkpoints import EMBEDDED_CONFIG, EMBEDDED_WEIGHTS
from addon.contract.job_types import Device, Footage, Model

# As the engine sets it, before torch is imported: threads that wait must not spin beside the other checks.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

CLIPS = Path(__file__).resolve().parents[2] / "demo" / "clips"


@dataclass
class Clip:
    """A clip to test on.

    files, truth: frames and their true mattes (255 = subject).
    subject, elsewhere: a pixel on the subject of the first frame, and one off it.
    room: a folder to write to.
    """

    files: list[Path]
    truth: list[Path]
    width: int
    height: int
    subject: tuple[float, float]
    elsewhere: tuple[float, float]
    room: Path

    def take(self, count: int) -> Footage:
        """Put `count` frames into a folder, with the names upstream expects (00000.jpg), going back and forth if
        necessary.
        """
        folder = self.room / f"frames{count}"
        if not folder.exists():
            folder.mkdir()
            there_and_back = [*self.files, *self.files[-2:0:-1]]
            for i in range(count):
                file = there_and_back[i % len(there_and_back)]
                (folder / f"{i:05d}.jpg").write_bytes(file.read_bytes())
        files = tuple(str(folder / f"{i:05d}.jpg") for i in range(count))
        return Footage(files, self.width, self.height, count)


def toy(room: Path) -> Clip:
    """The clip that the demo uses too, with `room` to write to."""
    folder = CLIPS / "toy"
    about = json.loads((folder / "clip.json").read_text(encoding="utf-8"))
    subject = next((prompt["x"], prompt["y"]) for prompt in about["prompts"] if prompt["label"] == "include")
    return Clip(
        sorted((folder / "rgb").iterdir()),
        sorted((folder / "gt").iterdir()),
        about["width"],
        about["height"],
        subject,
        (120.5, 380.5),
        room,
    )


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """A clip with a room of its own."""
    return toy(tmp_path)


@pytest.fixture(scope="session")
def checkpoint() -> Model:
    """The embedded checkpoint at full precision, on the device that SPLAT_MATTE_TEST_DEVICE names."""
    device: Device = "cuda" if os.environ.get("SPLAT_MATTE_TEST_DEVICE") == "cuda" else "cpu"
    return Model(device=device, precision="float32")


@pytest.fixture(scope="session")
def small(checkpoint: Model, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The embedded weights at half of their input size, which takes a quarter of the time.

    For tests that compare runs with one another, or with sam2 itself: its mattes are worse than the real one's.
    """
    text, changes = re.subn(
        r"(?m)^  image_size: (\d+)", lambda found: f"  image_size: {int(found[1]) // 2}", EMBEDDED_CONFIG.read_text()
    )
    assert changes == 1
    config = tmp_path_factory.mktemp("small") / "small.yaml"
    config.write_text(text)
    return dataclasses.replace(checkpoint, checkpoint=str(EMBEDDED_WEIGHTS), config=str(config), trust=True)
