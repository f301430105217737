"""Finding the frame of the footage that belongs to a file name from another program."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath

from .footage import Reader


class FrameNames:
    """The frames of a clip by the names of their images."""

    def __init__(self, reader: Reader, frame_count: int) -> None:
        self._reader = reader
        self._images: dict[str, list[int]] = defaultdict(list)  # by base name, with and without the suffix
        for frame in range(1, frame_count + 1):
            for key in (reader.file_name(frame), reader.stem(frame)):
                self._images[PurePosixPath(key).name].append(frame)

    def find(self, path: str) -> int | None:
        """The clip frame of an image; None if the image is not in this footage.

        If several frames have the same base name, the last folders of the path decide. The suffix may differ or be
        missing: Blender's synthetic data sets leave it out, and images may have been converted.
        """
        name = PurePosixPath(path.replace("\\", "/"))
        frames = self._images.get(name.name) or self._images.get(name.stem) or []
        folders = name.parent.parts
        alike = [frame for frame in frames if (own := self._folders(frame)) == folders[len(folders) - len(own) :]]
        if len(frames) == 1:
            alike = frames
        return max(alike, key=lambda frame: len(self._folders(frame)), default=None)

    def _folders(self, frame: int) -> tuple[str, ...]:
        return PurePosixPath(self._reader.file_name(frame)).parent.parts
