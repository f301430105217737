"""Training samples: short stretches of clips or composites, cropped and recoloured, with the objects to ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .clips import Clip
from .composites import Composer

Rng = np.random.Generator
Picture = NDArray[np.uint8]
Masks = NDArray[np.bool_]
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])  # as sam2 normalises
HIDING = 6  # frames: long enough for a thing to be hidden and reappear
SMALLEST = 1 / 80  # fraction of the picture: objects that are smaller on the first frame are not prompted
PASTED = 0.3  # fraction of the rendered shots whose objects are pasted over a photograph
REAL_ID = 100  # id of the photograph's own subject then; objects of shots have 1 to 20, and 200


@dataclass
class Batch:
    """B pictures over T frames, N objects in them."""

    images: Tensor  # B x T x 3 x S x S, normalised
    masks: Masks  # N x T x S x S
    owner: Tensor  # N: the row of `images` that an object is in
    windows: bool = False  # close-ups of an edge, prompted with a coarse matte

    def targets(self, device: torch.device) -> Tensor:
        """Return N x T x S/4 x S/4 coverage, 0 to 1, which the mask logits are compared with."""
        n, t, s, _ = self.masks.shape
        return torch.from_numpy(self.masks).to(device).view(n, t, s // 4, 4, s // 4, 4).float().mean((3, 5))


class Sampler:
    """Draws batches from composites, rendered shots and DAVIS in a fixed mix."""

    def __init__(
        self, rng: Rng, size: int, rendered: list[Clip], davis: list[Clip], mix: tuple[float, float, float]
    ) -> None:
        self.rng, self.size, self.rendered, self.davis, self.mix = rng, size, rendered, davis, mix
        self.composer = Composer(rng, size)

    def _stretch(self, clip: Clip, frames: int) -> tuple[list[Picture], list[Picture]]:
        """Return `frames` frames at a random stride, forwards or backwards."""
        rng, count = self.rng, len(clip.pictures)
        stride = int(rng.integers(1, max(2, min(4, (count - 1) // max(1, frames - 1)) + 1)))
        start = int(rng.integers(max(1, count - stride * (frames - 1))))
        index = np.clip(start + stride * np.arange(frames), 0, count - 1)
        if rng.random() < 0.5:
            index = index[::-1]
        return [clip.pictures[i] for i in index], [clip.ids[i] for i in index]

    def _window(self, around: NDArray[Any]) -> tuple[slice, slice]:
        """Return a random window of a picture, usually around a nonzero pixel of the H x W map `around`."""
        rng, (h, w) = self.rng, around.shape
        scale = rng.uniform(0.5, 1.0) if rng.random() < 0.7 else 1.0
        ch, cw = int(h * min(1, scale * rng.uniform(0.9, 1.1))), int(w * min(1, scale * rng.uniform(0.9, 1.1)))
        ys, xs = np.nonzero(around[::4, ::4])
        if len(ys) and rng.random() < 0.8:
            pick = int(rng.integers(len(ys)))
            y, x = int(4 * ys[pick] - rng.uniform(0.2, 0.8) * ch), int(4 * xs[pick] - rng.uniform(0.2, 0.8) * cw)
        else:
            y, x = int(rng.integers(h - ch + 1)), int(rng.integers(w - cw + 1))
        y, x = min(max(y, 0), h - ch), min(max(x, 0), w - cw)
        return slice(y, y + ch), slice(x, x + cw)

    def _cut(
        self, pictures: list[Picture], ids: list[Picture], windows: list[tuple[slice, slice]]
    ) -> tuple[list[Picture], list[Picture]]:
        """Cut each frame's window out and resize it to S x S without keeping its aspect, as sam2 does; mirror half of
        the clips.
        """
        step, size = -1 if self.rng.random() < 0.5 else 1, (self.size, self.size)
        cut, maps = [], []
        for picture, numbers, window in zip(pictures, ids, windows, strict=True):
            area = picture[window]
            how = cv2.INTER_AREA if area.shape[0] > self.size else cv2.INTER_LINEAR
            cut.append(np.asarray(cv2.resize(area, size, interpolation=how)[:, ::step], np.uint8))
            map_ = cv2.resize(numbers[window], size, interpolation=cv2.INTER_NEAREST)
            maps.append(np.asarray(map_[:, ::step], np.uint8))
        return cut, maps

    def _lost(self, pictures: list[Picture], ids: list[Picture], number: int) -> tuple[list[Picture], list[Picture]]:
        """Return a clip in which a thing is out of sight on most frames, and on half of the last frames.

        The camera looks elsewhere, or something hides the thing; where it reappears, it can be anywhere. So only its
        looks tell whether it is there, not its place or the frame before.
        """
        rng, last = self.rng, len(ids) - 1
        windows = [self._window(ids[0] == number)]
        covered = []
        for t in range(1, last + 1):
            window = windows[0] if rng.random() < 0.5 else self._window(ids[t] == number)
            if rng.random() < (0.4 if t == last else 0.75):
                elsewhere = [self._window(ids[t] == 0) for _ in range(6 if rng.random() < 0.5 else 0)]
                away = [w for w in elsewhere if not (ids[t][w] == number).any()]
                if away:
                    window = away[0]
                else:
                    covered.append(t)
            windows.append(window)
        pictures, ids = self._cut(pictures, ids, windows)
        for t in covered:
            for least in (1.0, 1.2, 1.4):  # larger if a smaller cover leaves something in sight
                self.composer.hide(rng, pictures[t : t + 1], ids[t : t + 1], 0, number, least)
        return pictures, ids

    def _drift(self, picture: Picture, ids: Picture, frames: int) -> tuple[list[Picture], list[Picture]]:
        """Turn a still into a clip: it turns, scales, narrows and slides slightly between frames, as an orbit's photos
        do.

        Rendered shots have few frames, far apart. Here the shape stays in sight, as it moves by less than its own size.
        """
        rng, size = self.rng, self.size
        turn, shear = rng.normal(0, 0.03), rng.normal(0, 0.02)
        grow, slide = rng.normal(0, 0.025, 2), rng.normal(0, 0.02, 2) * size
        pictures, maps = [picture], [ids]
        for t in range(1, frames):
            cos, sin = np.cos(turn * t), np.sin(turn * t)
            matrix = np.array([[cos, -sin + shear * t], [sin, cos]]) * np.exp(grow * t)
            move = np.column_stack([matrix, size / 2 - matrix @ [size / 2, size / 2] + slide * t])
            for source, result, how in ((picture, pictures, cv2.INTER_LINEAR), (ids, maps, cv2.INTER_NEAREST)):
                moved = cv2.warpAffine(source, move, (size, size), flags=how, borderMode=cv2.BORDER_REFLECT_101)
                result.append(np.asarray(moved, np.uint8))
        return pictures, maps

    def _paste(self, pictures: list[Picture], ids: list[Picture]) -> tuple[list[Picture], list[Picture]]:
        """Paste a shot's objects, cut out by their exact ids, over a DAVIS clip in place of their room.

        Mattes stay exact, while the surroundings have a photograph's texture, blur and grain (Ghiasi et al., "Simple
        copy-paste is a strong data augmentation method for instance segmentation", CVPR 2021).
        """
        behind, theirs = self._stretch(self.davis[int(self.rng.integers(len(self.davis)))], len(pictures))
        pasted, maps = [], []
        for picture, numbers, back, real in zip(pictures, ids, behind, theirs, strict=True):
            size = picture.shape[1::-1]
            back = np.asarray(cv2.resize(back, size, interpolation=cv2.INTER_AREA), np.uint8)
            real = np.asarray(cv2.resize(real, size, interpolation=cv2.INTER_NEAREST), np.uint8)
            alpha = cv2.GaussianBlur((numbers > 0).astype(np.float32), (3, 3), 0)
            pasted.append(np.asarray(cv2.blendLinear(picture, back, alpha, 1 - alpha), np.uint8))
            maps.append(np.where(numbers > 0, numbers, REAL_ID * (real > 0)).astype(np.uint8))
        return pasted, maps

    def _repaint(self, pictures: list[Picture], ids: list[Picture]) -> list[Picture]:
        """Give every object and the background new colours: channels are mixed anew, light and shade are kept.

        Objects of one colour so end up beside each other by chance, and few shots show many colours.
        """
        rng = self.rng
        mixes = rng.dirichlet([0.4] * 3, (256, 3)) * rng.uniform(0.6, 1.5, (256, 3, 1))
        keep = rng.random(256) < 0.3
        mixes[keep] = np.eye(3)
        if rng.random() < 0.3:  # another object gets the subject's colours
            mixes[:] = np.where((rng.random(256) < 0.5)[:, None, None], mixes[1], mixes)
        painted = [picture.copy() for picture in pictures]
        for result, numbers in zip(painted, ids, strict=True):
            for number in np.unique(numbers):
                there = np.asarray(numbers == number, np.uint8)
                x, y, w, h = cv2.boundingRect(there)
                area = np.s_[y : y + h, x : x + w]
                cv2.copyTo(cv2.transform(result[area], mixes[number]), there[area], result[area])
        return painted

    def _recolour(self, pictures: list[Picture]) -> NDArray[np.float32]:
        """Vary exposure, contrast, colour and noise; brightness also drifts slightly from frame to frame.

        Dark rooms are exposed longer, as a photographer would do.
        """
        rng = self.rng
        clip = np.stack(pictures).astype(np.float32)
        gain, lift = rng.uniform(0.7, 1.35, 1) * rng.uniform(0.9, 1.1, 3), rng.normal(0, 12)
        gain *= np.clip(90 / max(1.0, clip.mean()), 1, 2.5)
        clip = clip * gain.astype(np.float32) + np.float32(lift)
        clip *= (1 + rng.normal(0, 0.04, (len(clip), 1, 1, 1))).astype(np.float32)
        if rng.random() < 0.1:
            clip[:] = clip.mean(-1, keepdims=True)
        if rng.random() < 0.3:
            noise = rng.standard_normal(clip.shape, np.float32)
            clip += noise * np.float32(rng.uniform(1, 9))
        return np.clip(clip, 0, 255)

    def _clip(self, pool: list[Clip], frames: int) -> Clip:
        """Choose a clip with at least `frames` frames; clips with hidden subjects (if long enough) and thin ones are
        preferred.
        """
        rng = self.rng
        pool = [clip for clip in pool if len(clip.pictures) >= frames] or pool
        if frames >= HIDING and rng.random() < 0.5:
            pool = [clip for clip in pool if clip.hides] or pool
        if rng.random() < 0.5:
            pool = [clip for clip in pool if clip.thin] or pool
        return pool[int(rng.integers(len(pool)))]

    def _one(self, frames: int, objects: int, lost: bool) -> tuple[NDArray[np.float32], Masks]:
        """Return pictures T x S x S x 3, 0 to 255, and masks K x T x S x S of K <= `objects` objects."""
        rng = self.rng
        while True:
            weights = np.array(self.mix) * [1, bool(self.rendered), bool(self.davis)]
            source = int(rng.choice(3, p=weights / weights.sum()))
            if source == 0:
                pictures, ids = self.composer.compose(rng, frames, self.rendered + self.davis)
                drifts = False
            else:
                clip = self._clip(self.rendered if source == 1 else self.davis, frames)
                drifts = frames > 1 and not lost and not clip.hides and rng.random() < 0.3
                pictures, ids = self._stretch(clip, 1 if drifts else frames)
                if source == 1 and self.davis and rng.random() < PASTED:
                    pictures, ids = self._paste(pictures, ids)
            present = np.unique(ids[0][ids[0] > 0])
            subject = 1 if source == 1 or not len(present) else int(rng.choice(present))
            if lost:
                pictures, ids = self._lost(pictures, ids, subject)
            elif source:
                pictures, ids = self._cut(pictures, ids, [self._window(ids[0])] * len(ids))
            if drifts:
                pictures, ids = self._drift(pictures[0], ids[0], frames)
            if source == 1 and rng.random() < 0.4:
                pictures = self._repaint(pictures, ids)
            if frames > 1 and not lost and rng.random() < (0.5 if frames >= HIDING else 0.25):
                self.composer.cover(rng, pictures, ids)
            numbers, areas = np.unique(ids[0], return_counts=True)
            numbers = numbers[(numbers > 0) & (areas >= SMALLEST * self.size**2)]
            if len(numbers) and (subject in numbers or not lost):
                chosen = rng.permutation(numbers)[:objects]
                if subject in numbers and subject not in chosen and (lost or source == 1):
                    chosen[0] = subject  # the shot's own subject, or the object that is lost in it
                return self._recolour(pictures), np.stack([[i == n for i in ids] for n in chosen])

    def batch(self, pictures: int, frames: int, objects: int, lost: bool = False) -> Batch:
        """Return a batch of `pictures` stretches with up to `objects` objects each. `lost`: one of them is out of sight
        at times.
        """
        drawn = [self._one(frames, objects, lost) for _ in range(pictures)]
        owner = torch.tensor([i for i, d in enumerate(drawn) for _ in d[1]])
        return Batch(_normalised([d[0] for d in drawn]), np.concatenate([d[1] for d in drawn]), owner)

    def windows(self, pictures: int) -> Batch:
        """Return a batch of single close-ups of an object's edge, as *Refine Edges: Windows* sees them."""
        images: list[NDArray[np.float32]] = []
        masks: list[Masks] = []
        while len(images) < pictures:
            clips = self.rendered + self.davis
            drawn, ids = self.composer.compose(self.rng, 1, clips, zoom=float(self.rng.uniform(1.0, 4.0)))
            numbers, areas = np.unique(ids[0], return_counts=True)
            fits = numbers[(numbers > 0) & (areas > self.size**2 / 30) & (areas < self.size**2 * 0.9)]
            if len(fits):
                images.append(self._recolour(drawn))
                masks.append(ids[0] == self.rng.choice(fits))
        return Batch(_normalised(images), np.stack(masks)[:, None], torch.arange(pictures), windows=True)


def _normalised(pictures: list[NDArray[np.float32]]) -> Tensor:
    """Return B stretches of T x S x S x 3 values, 0 to 255, as one normalised B x T x 3 x S x S tensor."""
    images = torch.from_numpy(np.stack(pictures)) / 255
    return ((images - MEAN) / STD).permute(0, 1, 4, 2, 3).contiguous()
