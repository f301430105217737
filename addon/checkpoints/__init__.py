"""The table of known weights: the published SAM 2 and 2.1 checkpoints, and the embedded one. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..runtime.user_folder import user_folder

EMBEDDED_CONFIG = Path(__file__).parent / "embedded.yaml"
EMBEDDED_WEIGHTS = Path(__file__).parent / "embedded.pt"

_URL = "https://dl.fbaipublicfiles.com/segment_anything_2"


@dataclass(frozen=True, slots=True)
class Official:
    """A checkpoint that Meta published (Apache-2.0).

    file: name of the file in `checkpoints_folder()`.
    config: name of its config in the sam2 package.
    bytes, sha256: size and hash of the file.
    quality: J&F on the SA-V test set, as published (README of facebookresearch/sam2, "Model Description").
    """

    name: str
    file: str
    url: str
    config: str
    bytes: int
    sha256: str
    quality: float

    @property
    def label(self) -> str:
        """The name that people see."""
        release, _, size = self.name.partition("_hiera_")
        return f"{release.upper().replace('SAM2', 'SAM 2')} {size.replace('_', ' ').capitalize()}"


_NEW, _OLD = "sam2.1", "sam2"
_DATES = {_NEW: "092824", _OLD: "072824"}
_CONFIG_LETTERS = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}
# release, size, bytes, J&F, sha256
_PUBLISHED = (
    (_NEW, "tiny", 156_008_466, 76.5, "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69"),
    (_NEW, "small", 184_416_285, 76.6, "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38"),
    (_NEW, "base_plus", 323_606_802, 78.2, "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5"),
    (_NEW, "large", 898_083_611, 79.5, "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318"),
    (_OLD, "tiny", 155_906_050, 75.0, "65b50056e05bcb13694174f51bb6da89c894b57b75ccdf0ba6352c597c5d1125"),
    (_OLD, "small", 184_309_650, 74.9, "95949964d4e548409021d47b22712d5f1abf2564cc0c3c765ba599a24ac7dce3"),
    (_OLD, "base_plus", 323_493_298, 74.7, "d0bb7f236400a49669ffdd1be617959a8b1d1065081789d7bbff88eded3a8071"),
    (_OLD, "large", 897_952_466, 76.0, "7442e4e9b732a508f80e141e7c2913437a3610ee0c77381a66658c3a445df87b"),
)


def _official(release: str, size: str, length: int, quality: float, sha256: str) -> Official:
    name = f"{release}_hiera_{size}"
    return Official(
        name=name,
        file=f"{name}.pt",
        url=f"{_URL}/{_DATES[release]}/{name}.pt",
        config=f"configs/{release}/{release}_hiera_{_CONFIG_LETTERS[size]}.yaml",
        bytes=length,
        sha256=sha256,
        quality=quality,
    )


OFFICIAL: dict[str, Official] = {checkpoint.name: checkpoint for checkpoint in (_official(*row) for row in _PUBLISHED)}


def checkpoints_folder() -> Path:
    """The folder of downloaded checkpoints, which may not exist yet."""
    return user_folder() / "checkpoints"
