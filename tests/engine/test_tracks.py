"""Objects tracked as a batch are what they are one by one, as upstream tracks them."""

import numpy as np
import pytest
import torch

from addon.contract.job_types import Model
from addon.engine.automatic.tracks import Group, Tracker
from addon.engine.footage.footage import Reader
from addon.engine.sam2 import model
from addon.engine.sam2.prompting import Images

FRAMES = 4


@pytest.mark.parametrize("reverse", [False, True])
def test_a_batch_is_what_its_objects_are(clip, small: Model, reverse: bool) -> None:
    footage = clip.take(FRAMES)
    reader = Reader(footage)
    loaded = model.load(model.find(small))
    predictor = loaded.predictor
    side = predictor.image_size
    masks = np.zeros((3, side, side), bool)
    unit = side // 32
    for mask, top, bottom, left, right in zip(masks, (6, 12, 1), (19, 16, 25), (9, 4, 19), (22, 9, 31), strict=True):
        mask[top * unit : bottom * unit, left * unit : right * unit] = True
    order = range(FRAMES)[::-1] if reverse else range(FRAMES)
    with loaded.computing():
        alone = []
        for mask in masks:
            state = predictor.start(Images(reader, predictor), FRAMES, 1)
            predictor.prompt(state, 0, order[0], points=[], labels=[], box=None, mask=torch.from_numpy(mask))
            outputs = []
            for index in order[1:]:
                reads = state["output_dict_per_obj"][0]
                outputs.append(predictor.track(state, 0, index, reverse=reverse, reads=reads))
                predictor.tracked(state, 0)[index] = outputs[-1]
            alone.append([output["pred_masks"][0, 0].float().numpy() for output in outputs])
        tracker = Tracker(predictor, reader, FRAMES)
        group = Group([7, 8, 9])
        tracker.condition(group, order[0], masks)
        together = [tracker.track(group, order[1], reverse=reverse)]
        group.keep([7, 9])  # what goes on without one of them is not changed by it
        together += [tracker.track(group, index, reverse=reverse) for index in order[2:]]
    apart = np.abs(alone[0][-1] - alone[2][-1]).max()
    assert apart > 0, "the same for all would prove nothing"
    for number, logits in enumerate(together):
        for row, i in enumerate((0, 1, 2) if number == 0 else (0, 2)):
            assert np.abs(logits[row] - alone[i][number]).max() < 0.2 * apart, (i, number)
