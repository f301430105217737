"""Mesh primitives as numpy arrays, from which the subjects are built.

A mesh is `(vertices, faces)`: float64 N x 3 in metres, z up, and a list of vertex index tuples. No bpy here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Point = Sequence[float] | Array


@dataclass
class Mesh:
    """Vertices (N x 3, metres), faces (vertex indices), and the material slot of each face."""

    vertices: Array = field(default_factory=lambda: np.zeros((0, 3)))
    faces: list[tuple[int, ...]] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)

    def add(self, other: Mesh, slot: int = 0) -> Mesh:
        """Append another mesh under a material slot; returns self."""
        base = len(self.vertices)
        self.vertices = np.concatenate([self.vertices, other.vertices])
        self.faces += [tuple(i + base for i in face) for face in other.faces]
        self.slots += [slot] * len(other.faces)
        return self

    def moved(self, offset: Point = (0, 0, 0), scale: float | Point = 1.0, turn: float = 0.0) -> Mesh:
        """Return a copy that is scaled, then turned about z (radians), then moved."""
        c, s = np.cos(turn), np.sin(turn)
        spin = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        vertices = (self.vertices * np.asarray(scale)) @ spin.T + np.asarray(offset, dtype=float)
        return Mesh(vertices, list(self.faces), list(self.slots))


def _solid(vertices: Array, faces: list[tuple[int, ...]]) -> Mesh:
    return Mesh(np.asarray(vertices, dtype=float), faces, [0] * len(faces))


def box(size: Point, centre: Point = (0, 0, 0)) -> Mesh:
    """An axis-aligned box of the given edge lengths."""
    corners = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    faces: list[tuple[int, ...]] = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return _solid(corners * np.asarray(size) + np.asarray(centre), faces)


def _frame(axis: Array) -> tuple[Array, Array]:
    """Return two unit vectors perpendicular to `axis` and to each other."""
    helper = np.array([1.0, 0, 0]) if abs(axis[0]) < 0.7 else np.array([0, 1.0, 0])
    u = np.cross(axis, helper)
    u /= np.linalg.norm(u)
    return u, np.cross(axis, u)


def tube(path: Sequence[Point], radius: float | Sequence[float], sides: int = 10) -> Mesh:
    """A round tube along a polyline, closed by caps; one radius, or one for each point of the path."""
    points = np.asarray(path, dtype=float)
    radii = np.broadcast_to(np.asarray(radius, dtype=float), (len(points),))
    tangents = np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True) + 1e-9
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    u, v = _frame(tangents[0])
    rings = []
    for point, tangent, r in zip(points, tangents, radii, strict=True):
        u = u - tangent * (u @ tangent)  # carried along without twist
        u /= np.linalg.norm(u) + 1e-9
        v = np.cross(tangent, u)
        rings.append(point + r * (np.outer(np.cos(angles), u) + np.outer(np.sin(angles), v)))
    faces: list[tuple[int, ...]] = []
    for i in range(len(points) - 1):
        for j in range(sides):
            k = (j + 1) % sides
            faces.append((i * sides + j, i * sides + k, (i + 1) * sides + k, (i + 1) * sides + j))
    faces.append(tuple(range(sides))[::-1])
    faces.append(tuple(range((len(points) - 1) * sides, len(points) * sides)))
    return _solid(np.concatenate(rings), faces)


def lathe(profile: Sequence[tuple[float, float]], sides: int = 28) -> Mesh:
    """A solid of revolution about z; the profile is (radius, height) from bottom to top, radius 0 closes it."""
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    rings = [np.concatenate([circle * max(r, 1e-4), np.full((sides, 1), z)], 1) for r, z in profile]
    faces: list[tuple[int, ...]] = []
    for i in range(len(profile) - 1):
        for j in range(sides):
            k = (j + 1) % sides
            faces.append((i * sides + j, i * sides + k, (i + 1) * sides + k, (i + 1) * sides + j))
    return _solid(np.concatenate(rings), faces)


def ellipsoid(radii: Point, centre: Point = (0, 0, 0), sides: int = 20) -> Mesh:
    """An ellipsoid of latitude and longitude faces."""
    turns = np.linspace(-np.pi / 2, np.pi / 2, sides // 2 + 1)
    ball = lathe([(float(np.cos(a)), float(np.sin(a))) for a in turns], sides)
    return ball.moved(centre, radii)


def ring(major: float, minor: float, sides: int = 40, axis: str = "y", centre: Point = (0, 0, 0)) -> Mesh:
    """A torus; `axis` is its axis of rotation."""
    a = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    b = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    r = np.broadcast_to(major + minor * np.cos(b), (sides, 8))
    flat = np.stack([np.cos(a)[:, None] * r, np.sin(a)[:, None] * r, np.broadcast_to(minor * np.sin(b), r.shape)], -1)
    order = {"z": [0, 1, 2], "y": [0, 2, 1], "x": [2, 0, 1]}[axis]
    faces: list[tuple[int, ...]] = [
        (i * 8 + j, ((i + 1) % sides) * 8 + j, ((i + 1) % sides) * 8 + (j + 1) % 8, i * 8 + (j + 1) % 8)
        for i in range(sides)
        for j in range(8)
    ]
    return _solid(flat[..., order].reshape(-1, 3) + np.asarray(centre, dtype=float), faces)


def leaf(base: Point, tip: Point, width: float, droop: float) -> Mesh:
    """A thin curved blade from base to tip, two faces wide, sagging by `droop` metres at the tip."""
    start, end = np.asarray(base, dtype=float), np.asarray(tip, dtype=float)
    side = np.cross(end - start, [0, 0, 1.0])
    side /= np.linalg.norm(side) + 1e-9
    t = np.linspace(0, 1, 7)
    spine = start + (end - start) * t[:, None] - np.array([0, 0, droop]) * (t**2)[:, None]
    half = width * np.sin(np.pi * np.clip(t, 0.04, 0.98)) ** 0.7
    fold = np.array([0, 0, 0.25])
    across, up = side * half[:, None], fold * half[:, None]
    edges = [spine + across + up, spine, spine - across + up]
    faces: list[tuple[int, ...]] = [
        (row * 7 + i, row * 7 + i + 1, (row + 1) * 7 + i + 1, (row + 1) * 7 + i) for row in range(2) for i in range(6)
    ]
    return _solid(np.concatenate(edges), faces)
