"""Masks of one picture from prompts. The picture is encoded once.

Upstream's SAM2ImagePredictor, without torchvision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from .predictor import Predictor
from .prompting import normalise


class EncodedPicture:
    """The image features of a picture. It is made and used inside `Loaded.computing()`.

    Args:
        predictor: the model.
        picture: uint8 (H, W, 3) sRGB; squashed to S x S, S = its image_size, as upstream's SAM2Transforms does.
    """

    def __init__(self, predictor: Predictor, picture: NDArray[np.uint8]) -> None:
        self._predictor = predictor
        image, side = normalise(picture, torch.device("cpu"))[None], predictor.image_size
        if image.shape[2:] != (side, side):  # resized as floats, because rounding can change a mask
            image = functional.interpolate(image, (side, side), mode="bilinear", antialias=True)
        backbone = predictor.forward_image(image.to(predictor.device))
        _, features, _, sizes = predictor._prepare_backbone_features(backbone)
        if predictor.directly_add_no_mem_embed:
            features[-1] = features[-1] + predictor.no_mem_embed
        maps = [level.permute(1, 2, 0).view(1, -1, *hw) for level, hw in zip(features, sizes, strict=True)]
        self._embedding, self._high_res = maps[-1], maps[:-1]

    def decode(
        self, places: torch.Tensor, labels: torch.Tensor, masks: torch.Tensor | None, *, multimask: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode masks for n prompts.

        Args:
            places: (n, k, 2) float32, x and y in pixels of the S x S picture.
            labels: (n, k) int32, 1 include, 0 exclude, -1 none.
            masks: (n, 1, 4 S / 16, 4 S / 16) logits, or None.
            multimask: whether to return three masks per prompt instead of one.

        Returns:
            Logits (n, m, S / 4, S / 4) and predicted IoUs (n, m), float32.
        """
        model: Any = self._predictor
        sparse, dense = model.sam_prompt_encoder(points=(places, labels), boxes=None, masks=masks)
        logits, ious, _, _ = model.sam_mask_decoder(
            image_embeddings=self._embedding,
            image_pe=model.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            repeat_image=len(places) > 1,
            high_res_features=self._high_res,
        )
        return logits.float(), ious.float()
