"""Outlines of mattes: the same area, the same points from frame to frame."""

import itertools

import cv2
import numpy as np
import pytest

from addon.engine.matting.outlines import curves_of, exact_curves_of, matched


def disc(x: float, y: float, radius: float, hole: float = 0.0) -> np.ndarray:
    rows, columns = np.mgrid[:120, :200] + 0.5
    far = np.hypot(columns - x, rows - y)
    return (((far < radius) & (far >= hole)) * 255).astype(np.uint8)


def filled(curves: list[np.ndarray]) -> np.ndarray:
    """Fill outlines by the even-odd rule."""
    fine = np.zeros((120 * 8, 200 * 8), np.uint8)
    cv2.fillPoly(fine, [np.rint(curve * 8 - 0.5).astype(np.int32) for curve in curves], 255)
    return cv2.resize(fine, (200, 120), interpolation=cv2.INTER_AREA) >= 128


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("matte", [disc(100, 60, 40), disc(90, 50, 45, hole=20), disc(0, 0, 60)])
def test_they_enclose_the_matte(matte: np.ndarray) -> None:
    curves = curves_of(matte, 64)
    assert all(curve.shape == (64, 2) for curve in curves)
    assert iou(filled(curves), matte > 0) > 0.97


def test_the_edge_lies_between_pixels() -> None:
    matte = np.zeros((120, 200), np.uint8)
    matte[20:60, 30:90] = 255
    (curve,) = curves_of(matte, 400)
    assert np.allclose(curve.min(axis=0), (30, 20), atol=0.26)
    assert np.allclose(curve.max(axis=0), (90, 60), atol=0.26)


def test_points_move_as_the_matte_does() -> None:
    frames = [curves_of(disc(60 + 10 * i, 60, 30), 32) for i in range(4)]
    (path,) = matched(frames)
    for before, after in itertools.pairwise(path):
        assert np.abs(after - before - (10, 0)).max() < 3


def test_parts_come_and_go() -> None:
    one, two = disc(50, 60, 20), disc(50, 60, 20) | disc(150, 60, 30)
    paths = matched([curves_of(shape, 32) for shape in (one, two, one)])
    assert len(paths) == 2
    assert all(len(path) == 3 for path in paths)
    for i, matte in enumerate((one, two, one)):
        assert iou(filled([path[i] for path in paths]), matte > 0) > 0.95
    assert matched([]) == []
    assert matched([curves_of(np.zeros((120, 200), np.uint8), 32)]) == []


def wheel(turn: float) -> np.ndarray:
    """A rim on 24 spokes of two pixels."""
    canvas = np.zeros((120, 200), np.uint8)
    cv2.circle(canvas, (100, 60), 52, 255, 4)
    for spoke in np.arange(24) * np.pi / 12 + turn:
        end = (100 + 52 * np.cos(spoke), 60 + 52 * np.sin(spoke))
        cv2.line(canvas, (100, 60), (round(end[0]), round(end[1])), 255, 2)
    return canvas


def test_exact_outlines_have_all_gaps_and_corners() -> None:
    comb = np.zeros((120, 200), np.uint8)
    comb[100:110, 10:190] = 255
    for x in range(10, 190, 4):
        comb[10:100, x : x + 2] = 255
    for matte in (wheel(0.0), comb):
        assert iou(filled(curves_of(matte, 96)), matte > 0) < 0.8
        assert iou(filled(exact_curves_of(matte, 1)), matte > 0) > 0.9


def test_curves_of_a_path_have_as_many_points_as_the_finest() -> None:
    frames = [exact_curves_of(matte, 2) for matte in (disc(100, 60, 20), disc(100, 60, 45), wheel(0.1))]
    paths = matched(frames)
    for path in paths:
        assert len({len(curve) for curve in path}) == 1
    for i, matte in enumerate((disc(100, 60, 20), disc(100, 60, 45), wheel(0.1))):
        assert iou(filled([path[i] for path in paths]), matte > 0) > 0.9
