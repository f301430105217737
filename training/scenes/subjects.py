"""Subjects built from primitives: chairs, stools, plants, bicycles, tools, toys, figures and household things.

Each maker takes a numpy random generator and returns a Mesh that stands on z = 0 around the origin, about one metre in
its largest extent, with up to three material slots. A new subject is one function and one line in SUBJECTS.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .meshes import Mesh, box, ellipsoid, lathe, leaf, ring, tube

Rng = np.random.Generator
Maker = Callable[[Rng], Mesh]


def chair(rng: Rng) -> Mesh:
    """Four thin legs, a seat, and a back of slats or a plate."""
    w, d, h = rng.uniform(0.36, 0.5), rng.uniform(0.36, 0.5), rng.uniform(0.4, 0.52)
    top = h + rng.uniform(0.35, 0.6)
    leg, splay = rng.uniform(0.012, 0.026), rng.uniform(0, 0.07)
    mesh = Mesh()
    for x in (-1, 1):
        for y in (-1, 1):
            foot = (x * (w / 2 + splay), y * (d / 2 + splay), 0)
            mesh.add(tube([foot, (x * (w / 2 - 0.02), y * (d / 2 - 0.02), h)], leg), 0)
    thick = rng.uniform(0.02, 0.06)
    mesh.add(box((w, d, thick), (0, 0, h)), 1)
    lean = rng.uniform(0, 0.12)
    for x in (-1, 1):
        mesh.add(tube([(x * (w / 2 - 0.02), d / 2 - 0.02, h), (x * (w / 2 - 0.02), d / 2 + lean, top)], leg), 0)
    if rng.random() < 0.6:
        for z in np.linspace(h + 0.15, top - 0.03, int(rng.integers(2, 5))):
            y = d / 2 + lean * (z - h) / (top - h)
            mesh.add(box((w - 0.02, 0.015, rng.uniform(0.03, 0.07)), (0, y, z)), 1)
    else:
        mesh.add(box((w, 0.025, (top - h) * 0.6), (0, d / 2 + lean * 0.7, h + (top - h) * 0.68)), 1)
    if rng.random() < 0.5:
        for y in (-1, 1):
            mesh.add(tube([(-w / 2, y * d / 2, h * 0.4), (w / 2, y * d / 2, h * 0.4)], leg * 0.7), 0)
    return mesh


def stool(rng: Rng) -> Mesh:
    """Three or four splayed legs under a round seat."""
    h, r, leg = rng.uniform(0.45, 0.8), rng.uniform(0.14, 0.22), rng.uniform(0.01, 0.024)
    mesh = Mesh()
    count = int(rng.integers(3, 5))
    spread = r * rng.uniform(0.9, 1.5)
    for a in np.arange(count) * 2 * np.pi / count + rng.uniform(0, 6):
        c, s = np.cos(a), np.sin(a)
        mesh.add(tube([(spread * c, spread * s, 0), (r * 0.7 * c, r * 0.7 * s, h)], leg), 0)
    mesh.add(lathe([(0, h - 0.02), (r, h - 0.02), (r * 1.04, h + 0.02), (r * 0.9, h + 0.05), (0, h + 0.055)]), 1)
    if rng.random() < 0.6:
        mesh.add(ring((spread + 0.7 * r) / 2, leg * 0.7, axis="z", centre=(0, 0, h * 0.5)), 0)
    return mesh


def plant(rng: Rng) -> Mesh:
    """A pot with stems and leaves."""
    pot_h, pot_r = rng.uniform(0.15, 0.28), rng.uniform(0.1, 0.18)
    mesh = Mesh().add(lathe([(0, 0), (pot_r * 0.7, 0), (pot_r, pot_h), (pot_r * 0.85, pot_h), (0, pot_h - 0.02)]), 1)
    broad = rng.random() < 0.5
    for _ in range(int(rng.integers(7, 18))):
        a, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.12, 0.4)
        height = pot_h + rng.uniform(0.1, 0.6)
        end = np.array([reach * np.cos(a), reach * np.sin(a), height])
        middle = np.array([end[0] * 0.3, end[1] * 0.3, (pot_h + height) * 0.55])
        mesh.add(tube([(0, 0, pot_h - 0.03), middle, end], 0.006, 6), 2)
        for _ in range(1 if broad else int(rng.integers(2, 4))):
            b = a + rng.uniform(-1.2, 1.2)
            length = rng.uniform(0.12, 0.3)
            tip = end + length * np.array([np.cos(b), np.sin(b), rng.uniform(0, 0.6)])
            mesh.add(leaf(end, tip, rng.uniform(0.04, 0.09) if broad else rng.uniform(0.012, 0.04), length * 0.5), 0)
    return mesh


def bicycle(rng: Rng) -> Mesh:
    """Two spoked wheels, a frame of tubes, bars and saddle; it stands along x."""
    r, base, thin = rng.uniform(0.28, 0.34), rng.uniform(0.95, 1.1), rng.uniform(0.012, 0.02)
    rear, front = np.array([-base / 2, 0, r]), np.array([base / 2, 0, r])
    crank, seat, head = np.array([-0.08, 0, r * 0.9]), np.array([-0.2, 0, r * 2.4]), np.array([0.33, 0, r * 2.4])
    mesh = Mesh()
    for hub in (rear, front):
        mesh.add(ring(r, rng.uniform(0.014, 0.026), centre=hub), 1)
        for a in np.linspace(0, 2 * np.pi, int(rng.integers(8, 16)), endpoint=False):
            mesh.add(tube([hub, hub + r * np.array([np.cos(a), 0, np.sin(a)])], 0.003, 5), 2)
    for a, b in ((rear, crank), (rear, seat), (crank, seat), (crank, head), (seat, head), (front, head)):
        mesh.add(tube([a, b], thin), 0)
    mesh.add(tube([seat, seat + (-0.03, 0, 0.12)], thin * 0.8), 2)
    mesh.add(ellipsoid((0.13, 0.06, 0.03), seat + (-0.03, 0, 0.13)), 1)
    bar = head + (0.02, 0, 0.1)
    mesh.add(tube([head, bar], thin * 0.8), 2)
    mesh.add(tube([bar + (-0.08, -0.25, 0), bar + (0, -0.12, 0), bar + (0, 0.12, 0), bar + (-0.08, 0.25, 0)], 0.012), 2)
    mesh.add(ring(0.08, 0.012, axis="y", centre=crank), 2)
    return mesh.moved(scale=rng.uniform(0.8, 1.0))


def hammer(rng: Rng) -> Mesh:
    """A hammer standing on its head, or lying."""
    length = rng.uniform(0.5, 0.8)
    mesh = Mesh().add(box((0.26, 0.09, 0.1), (0, 0, 0.05)), 1)
    mesh.add(tube([(0, 0, 0.05), (0, 0, length * 0.5), (0, 0, length)], [0.025, 0.022, 0.032]), 0)
    return mesh if rng.random() < 0.5 else _laid(mesh)


def wrench(rng: Rng) -> Mesh:
    """An open wrench: a flat bar with a ring and a fork, lying or standing."""
    length, w = rng.uniform(0.5, 0.8), rng.uniform(0.03, 0.05)
    mesh = Mesh().add(box((w, 0.03, length), (0, 0, length / 2)), 0)
    mesh.add(ring(w * 1.3, w * 0.5, axis="y", centre=(0, 0, length)), 0)
    for x in (-1, 1):
        mesh.add(box((w * 0.6, 0.035, w * 2.4), (x * w, 0, 0)), 0)
    mesh.add(box((w * 2.4, 0.035, w), (0, 0, w)), 0)
    mesh = mesh.moved((0, 0, w * 1.2))
    return mesh if rng.random() < 0.4 else _laid(mesh)


def _laid(mesh: Mesh) -> Mesh:
    """Lay a thing on its side."""
    v = mesh.vertices[:, [2, 0, 1]].copy()
    v[:, 0] -= v[:, 0].mean()
    v[:, 2] -= v[:, 2].min()
    return Mesh(v, mesh.faces, mesh.slots)


def figure(rng: Rng) -> Mesh:
    """A person of simple limbs in some pose, one metre tall."""
    mesh = Mesh()
    hip, chest = 0.48, 0.78
    mesh.add(ellipsoid((rng.uniform(0.1, 0.15), 0.08, 0.18), (0, 0, 0.65)), 0)
    mesh.add(ellipsoid((0.075, 0.08, 0.1), (0, 0, 0.95)), 2)
    for x in (-1, 1):
        foot = (x * rng.uniform(0.05, 0.16), rng.uniform(-0.12, 0.12), 0.03)
        knee = (x * 0.09, rng.uniform(-0.1, 0.02), 0.26)
        mesh.add(tube([(x * 0.06, 0, hip + 0.04), knee, foot], [0.06, 0.05, 0.035]), 1)
        mesh.add(ellipsoid((0.04, 0.08, 0.03), (foot[0], foot[1] - 0.04, 0.03)), 1)
        elbow = (x * rng.uniform(0.18, 0.28), rng.uniform(-0.1, 0.05), rng.uniform(0.55, 0.8))
        hand = (x * rng.uniform(0.12, 0.4), rng.uniform(-0.25, 0), rng.uniform(0.45, 1.0))
        mesh.add(tube([(x * 0.12, 0, chest), elbow, hand], [0.045, 0.035, 0.03]), 0)
    return mesh


def lamp(rng: Rng) -> Mesh:
    """A desk or floor lamp: foot, thin pole, shade."""
    h, r = rng.uniform(0.5, 1.0), rng.uniform(0.1, 0.2)
    mesh = Mesh().add(lathe([(0, 0), (r, 0), (r, 0.02), (0.02, 0.04), (0, 0.04)]), 0)
    mesh.add(tube([(0, 0, 0), (0, 0, h)], rng.uniform(0.008, 0.02)), 0)
    top = r * rng.uniform(0.4, 0.9)
    mesh.add(lathe([(0, h - 0.16), (r * 1.2, h - 0.16), (top, h + 0.08), (0, h + 0.08)]), 1)
    return mesh


def vessel(rng: Rng) -> Mesh:
    """A vase, jug, bowl or bottle of random profile, at times with a handle."""
    heights = np.linspace(0, rng.uniform(0.35, 0.9), 9)
    radii = rng.uniform(0.1, 0.25) * np.clip(1 + np.cumsum(rng.normal(0, 0.22, 9)), 0.25, 1.8)
    profile = [(0.0, 0.0), *zip(radii.tolist(), heights.tolist(), strict=True), (0.0, float(heights[-1]))]
    mesh = Mesh().add(lathe(profile), 0)
    if rng.random() < 0.5:
        r = float(radii[4])
        mesh.add(ring(0.11, 0.02, axis="y", centre=(r + 0.03, 0, float(heights[4]))), 1)
    return mesh


def toy_car(rng: Rng) -> Mesh:
    """A car or truck of boxes on four wheels."""
    length, w, r = rng.uniform(0.6, 0.9), rng.uniform(0.28, 0.4), rng.uniform(0.07, 0.11)
    mesh = Mesh().add(box((length, w, 0.18), (0, 0, r + 0.1)), 0)
    cab = rng.uniform(0.3, 0.6) * length
    mesh.add(box((cab, w * 0.9, rng.uniform(0.12, 0.3)), (rng.uniform(-0.2, 0.2) * length, 0, r + 0.28)), 1)
    for x in (-0.32, 0.32):
        for y in (-1, 1):
            mesh.add(ring(r * 0.75, r * 0.3, axis="y", centre=(x * length, y * w / 2, r)), 2)
            mesh.add(ellipsoid((r * 0.7, 0.03, r * 0.7), (x * length, y * w / 2, r)), 2)
    return mesh


def stacked_toy(rng: Rng) -> Mesh:
    """Blocks, balls and rings on top of each other."""
    mesh, z = Mesh(), 0.0
    for i in range(int(rng.integers(2, 6))):
        s = rng.uniform(0.1, 0.2)
        kind = rng.integers(0, 3)
        if kind == 0:
            mesh.add(box((2 * s, 2 * s * rng.uniform(0.6, 1), 2 * s)).moved((0, 0, z + s), 1, rng.uniform(0, 3)), i % 3)
        elif kind == 1:
            mesh.add(ellipsoid((s, s, s), (0, 0, z + s)), i % 3)
        else:
            mesh.add(ring(s, s * 0.45, axis="z", centre=(0, 0, z + s * 0.45)), i % 3)
            s *= 0.45
        z += 2 * s * 0.97
    return mesh


def animal(rng: Rng) -> Mesh:
    """A four-legged toy animal of ellipsoids and tubes."""
    mesh = Mesh().add(ellipsoid((0.3, 0.14, 0.15), (0, 0, 0.42)), 0)
    neck = np.array([rng.uniform(0.3, 0.4), 0, rng.uniform(0.55, 0.85)])
    mesh.add(tube([(0.22, 0, 0.45), neck], [0.08, 0.06]), 0)
    mesh.add(ellipsoid((0.12, 0.07, 0.075), neck + (0.06, 0, 0.02)), 0)
    for y in (-1, 1):
        mesh.add(ellipsoid((0.02, 0.03, rng.uniform(0.04, 0.1)), neck + (0, y * 0.06, 0.09)), 1)
        for x in (-1, 1):
            foot = (x * 0.2 + rng.uniform(-0.06, 0.06), y * 0.09, 0)
            mesh.add(tube([(x * 0.18, y * 0.08, 0.4), foot], rng.uniform(0.025, 0.045)), 1)
    mesh.add(tube([(-0.28, 0, 0.45), (-0.4, 0, 0.5), (-0.45, 0, rng.uniform(0.3, 0.7))], [0.03, 0.02, 0.012]), 1)
    return mesh


def teapot(rng: Rng) -> Mesh:
    """Belly, spout, handle and lid."""
    r = rng.uniform(0.24, 0.3)
    mesh = Mesh().add(ellipsoid((r, r, r * 0.85), (0, 0, r * 0.85), 28), 0)
    mesh.add(lathe([(0, r * 1.6), (r * 0.5, r * 1.6), (r * 0.3, r * 1.8), (0, r * 1.85)]), 1)
    mesh.add(ellipsoid((0.04, 0.04, 0.04), (0, 0, r * 1.95)), 1)
    spout = [(r * 0.8, 0, r * 0.6), (r * 1.3, 0, r * 0.9), (r * 1.6, 0, r * 1.5)]
    mesh.add(tube(spout, [0.07, 0.05, 0.035]), 0)
    mesh.add(ring(r * 0.55, 0.03, axis="y", centre=(-r * 1.1, 0, r * 0.95)), 1)
    return mesh


def blob(rng: Rng) -> Mesh:
    """A smooth lumpy body: a stone, a fruit, a cushion."""
    mesh = ellipsoid((1, 1, 1), sides=32)
    v = mesh.vertices
    bump = np.zeros(len(v))
    for _ in range(5):
        bump += rng.uniform(0.05, 0.2) * np.sin(v @ rng.normal(0, 2.2, 3) + rng.uniform(0, 6))
    v = v * (1 + bump)[:, None] * rng.uniform(0.18, 0.42, 3)
    v[:, 2] -= v[:, 2].min()
    return Mesh(v, mesh.faces, mesh.slots)


def table(rng: Rng) -> Mesh:
    """A small table or shelf."""
    w, d, h = rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.6), rng.uniform(0.35, 0.7)
    mesh = Mesh().add(box((w, d, 0.035), (0, 0, h)), 1)
    for x in (-1, 1):
        for y in (-1, 1):
            mesh.add(box((0.04, 0.04, h), (x * (w / 2 - 0.04), y * (d / 2 - 0.04), h / 2)), 0)
    if rng.random() < 0.4:
        mesh.add(box((w - 0.1, d - 0.1, 0.02), (0, 0, h * 0.4)), 1)
    return mesh


def crate(rng: Rng) -> Mesh:
    """A box or carton, or two."""
    s = [float(v) for v in rng.uniform(0.25, 0.6, 3)]
    mesh = Mesh().add(box(s, (0, 0, s[2] / 2)), 0)
    if rng.random() < 0.3:
        t = [float(v) for v in rng.uniform(0.15, 0.3, 3)]
        mesh.add(box(t).moved((0, 0, s[2] + t[2] / 2), 1, rng.uniform(0, 3)), 1)
    return mesh


THIN: dict[str, Maker] = {"chair": chair, "stool": stool, "plant": plant, "bicycle": bicycle, "lamp": lamp}
COMPACT: dict[str, Maker] = {
    "hammer": hammer,
    "wrench": wrench,
    "figure": figure,
    "vessel": vessel,
    "toy_car": toy_car,
    "stacked_toy": stacked_toy,
    "animal": animal,
    "teapot": teapot,
    "blob": blob,
    "crate": crate,
}
CLUTTER: dict[str, Maker] = {**COMPACT, "table": table, "lamp": lamp, "plant": plant, "stool": stool}
SUBJECTS: dict[str, Maker] = {**THIN, **COMPACT, "table": table}
