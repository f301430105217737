"""Builds a Shot in Blender and renders it with Cycles: pictures, and the id of the object at every pixel.

The ids come from a second pass in which every surface only emits its object's id, so no light, texture or filter
affects them. Written and tested with bpy 4.5; it uses nothing that 4.2 or 5.0 lacks.
"""

from __future__ import annotations

import colorsys
import math
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .meshes import Mesh
from .shot import Shot
from .subjects import CLUTTER, SUBJECTS

SUBJECT_ID = 1
PILLAR_ID = 200
PATTERNS = ("plain", "checker", "brick", "wave", "noise", "voronoi")
Rng = np.random.Generator


def _colour(rng: Rng, vivid: float = 1.0) -> tuple[float, float, float, float]:
    hue, saturation, value = rng.random(), rng.random() ** 0.7 * vivid, rng.uniform(0.05, 0.9)
    return (*colorsys.hsv_to_rgb(hue, saturation, value), 1.0)


def _material(rng: Rng, scale: float, pattern: str = "any", vivid: float = 1.0) -> Any:
    """Make a Principled material of one colour, or of two in a pattern whose cells are about 1/scale metres."""
    material = bpy.data.materials.new("m")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = rng.uniform(0.15, 0.9)
    shader.inputs["Metallic"].default_value = float(rng.random() < 0.12)
    first, second = _colour(rng, vivid), _colour(rng, vivid)
    if pattern == "any":
        pattern = str(rng.choice(PATTERNS, p=[0.45, 0.12, 0.08, 0.1, 0.15, 0.1]))
    if pattern == "plain":
        shader.inputs["Base Color"].default_value = first
        return material
    place = nodes.new("ShaderNodeTexCoord")
    turn = nodes.new("ShaderNodeMapping")
    turn.inputs["Rotation"].default_value = (0, 0, rng.uniform(0, 3))
    links.new(place.outputs["Object"], turn.inputs["Vector"])
    kinds = {"checker": "Checker", "brick": "Brick", "wave": "Wave", "noise": "Noise", "voronoi": "Voronoi"}
    texture = nodes.new(f"ShaderNodeTex{kinds[pattern]}")
    texture.inputs["Scale"].default_value = scale * rng.uniform(0.5, 1.6)
    if pattern == "wave":
        texture.inputs["Distortion"].default_value = rng.uniform(0, 8)
    if pattern == "noise":
        texture.inputs["Detail"].default_value = rng.uniform(1, 6)
    links.new(turn.outputs["Vector"], texture.inputs["Vector"])
    mix = nodes.new("ShaderNodeMixRGB")
    mix.inputs["Color1"].default_value, mix.inputs["Color2"].default_value = first, second
    factor = "Distance" if pattern == "voronoi" else "Fac"
    links.new(texture.outputs[factor], mix.inputs["Fac"])
    links.new(mix.outputs["Color"], shader.inputs["Base Color"])
    return material


def _place(mesh: Mesh, name: str, number: int, materials: list[Any], smooth: bool = True) -> Any:
    """Add a numpy mesh as a Blender object with an object index."""
    data = bpy.data.meshes.new(name)
    data.from_pydata(mesh.vertices.tolist(), [], [list(face) for face in mesh.faces])
    for material in materials:
        data.materials.append(material)
    data.polygons.foreach_set("material_index", np.minimum(mesh.slots, len(materials) - 1))
    if smooth:
        data.polygons.foreach_set("use_smooth", np.ones(len(mesh.faces), dtype=bool))
        data.set_sharp_from_angle(angle=math.radians(40))
    data.update()
    thing = bpy.data.objects.new(name, data)
    thing.pass_index = number
    bpy.context.scene.collection.objects.link(thing)
    return thing


def _suzanne(number: int, materials: list[Any]) -> Any:
    bpy.ops.mesh.primitive_monkey_add(size=0.9, location=(0, 0, 0.44))
    thing = bpy.context.object
    modifier = thing.modifiers.new("smooth", "SUBSURF")
    modifier.render_levels = 2
    thing.data.materials.append(materials[0])
    thing.data.polygons.foreach_set("use_smooth", np.ones(len(thing.data.polygons), np.bool_))
    thing.rotation_euler = (-0.6, 0, 0)
    thing.pass_index = number
    return thing


def _room(rng: Rng, shot: Shot) -> tuple[Any, float]:
    """Build a floor, and either walls or an open sky; return the walls (None without) and their distance."""
    size = rng.uniform(3.5, 7)
    floor = Mesh(np.array([(-20, -20, 0), (20, -20, 0), (20, 20, 0), (-20, 20, 0)], dtype=float), [(0, 1, 2, 3)], [0])
    _place(floor, "floor", 0, [_material(rng, rng.uniform(1.5, 6), shot.floor, 0.7)], smooth=False)
    world = bpy.data.worlds.new("w")
    bpy.context.scene.world = world
    world.use_nodes = True
    sky = world.node_tree.nodes["Background"]
    sky.inputs["Color"].default_value = _colour(rng, 0.4)
    sky.inputs["Strength"].default_value = rng.uniform(0.3, 1.2)
    walls_object = None
    if rng.random() < 0.75:
        walls = Mesh()
        for a in range(4):
            c, s = math.cos(a * math.pi / 2), math.sin(a * math.pi / 2)
            corner = np.array([(size, -size, 0), (size, size, 0), (size, size, 4), (size, -size, 4)])
            turned = corner @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T
            walls.add(Mesh(turned, [(0, 1, 2, 3)], [0]), a % 2)
        both = [_material(rng, 2, vivid=0.6), _material(rng, 3, vivid=0.6)]
        walls_object = _place(walls, "walls", 0, both, smooth=False)
    return walls_object, size


def _lights(rng: Rng, frames: int) -> None:
    """Add one to three lamps; in half of the clips the brightness changes over time."""
    for _ in range(int(rng.integers(1, 4))):
        kind: Any = str(rng.choice(["SUN", "AREA", "POINT"]))
        lamp = bpy.data.lights.new("l", kind)
        power = rng.uniform(0.8, 3) if kind == "SUN" else rng.uniform(80, 350)
        lamp.color = tuple(0.6 + 0.4 * rng.random(3))
        if kind == "AREA":
            lamp.size = rng.uniform(0.3, 2)
        thing = bpy.data.objects.new("l", lamp)
        angle = rng.uniform(0, 2 * math.pi)
        thing.location = (2.5 * math.cos(angle), 2.5 * math.sin(angle), rng.uniform(2, 3.6))
        thing.rotation_euler = (rng.uniform(0.2, 1.0), 0, angle + math.pi / 2)
        bpy.context.scene.collection.objects.link(thing)
        lamp.energy = power
        if rng.random() < 0.5:
            lamp.keyframe_insert("energy", frame=1)
            lamp.energy = power * rng.uniform(0.3, 1.6)
            lamp.keyframe_insert("energy", frame=frames)


def _camera(rng: Rng, shot: Shot, height: float, radius: float) -> tuple[float, float, float]:
    """Add an orbiting, slightly shaking camera; return its distance from the axis, its start angle, and how far it
    comes along x or y.
    """
    camera = bpy.data.objects.new("c", bpy.data.cameras.new("c"))
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    camera.data.lens = rng.uniform(28, 50)
    view = 2 * math.atan(36 / (2 * camera.data.lens) * shot.height / shot.width)
    distance = max(height, 0.75 * radius) / shot.fill / (2 * math.tan(view / 2)) + 0.4 * radius
    start, up = rng.uniform(0, 2 * math.pi), rng.uniform(0.12, 0.75)
    aim = bpy.data.objects.new("aim", None)
    bpy.context.scene.collection.objects.link(aim)
    off = rng.normal(0, 0.1, 3) * (height, height, 0.5 * height)
    drift = rng.normal(0, 0.1, 3) * height
    closer = rng.uniform(0.85, 1.15)
    farthest = 0.0
    for frame in range(1, shot.frames + 1):
        t = (frame - 1) / max(1, shot.frames - 1)
        angle = start + math.radians(shot.orbit) * t
        d = distance * closer**t
        shake = rng.normal(0, 0.004, 3) * distance
        across, rise = d * math.cos(up), d * math.sin(up) + height * 0.3
        camera.location = (across * math.cos(angle), across * math.sin(angle), max(0.08, rise)) + shake
        camera.keyframe_insert("location", frame=frame)
        farthest = max(farthest, abs(camera.location.x), abs(camera.location.y))
        aim.location = np.array([0, 0, height * 0.5]) + off + drift * t
        aim.keyframe_insert("location", frame=frame)
    follow = camera.constraints.new("TRACK_TO")
    follow.target = aim
    return distance * math.cos(up), start, farthest


def _scatter(rng: Rng, shot: Shot, radius: float, reach: float, start: float) -> None:
    """Scatter clutter on the floor around the subject; with occlusion "clutter", one thing stands in front of it."""
    taken: list[tuple[float, float, float]] = [(0, 0, radius)]
    for number in range(2, 2 + shot.clutter):
        mesh = CLUTTER[str(rng.choice(list(CLUTTER)))](rng).moved(scale=rng.uniform(0.4, 1.1))
        r = float(np.linalg.norm(mesh.vertices[:, :2], axis=1).max())
        for _ in range(40):
            angle, away = rng.uniform(0, 2 * math.pi), rng.uniform(radius, 3.2 * max(radius, 0.5)) + r
            x, y = away * math.cos(angle), away * math.sin(angle)
            swing = math.radians(shot.orbit)
            in_view = -0.5 < (angle - start) % (2 * math.pi) < abs(swing) + 0.5 and away > 0.45 * reach
            if not in_view and all(math.hypot(x - a, y - b) > r + c for a, b, c in taken):
                thing = _place(mesh, "clutter", number, [_material(rng, 5) for _ in range(3)])
                thing.location, thing.rotation_euler = (x, y, 0), (0, 0, rng.uniform(0, 6))
                taken.append((x, y, r))
                break
    if shot.occlusion == "clutter":
        mesh = CLUTTER[str(rng.choice(list(CLUTTER)))](rng).moved(scale=rng.uniform(0.5, 0.8))
        angle = start + math.radians(shot.orbit) * rng.uniform(0.3, 0.7)
        away = rng.uniform(0.35, 0.6) * reach
        thing = _place(mesh, "before", 2 + shot.clutter, [_material(rng, 5) for _ in range(3)])
        thing.location = (away * math.cos(angle), away * math.sin(angle), 0)


def _hide_behind_pillar(rng: Rng, subject: Any, shot: Shot, radius: float, reach: float, start: float) -> None:
    """Place a pillar in front of a still camera; the subject slides behind it and out again."""
    from .meshes import box

    middle = start + math.radians(shot.orbit) * 0.5
    towards = np.array([math.cos(middle), math.sin(middle), 0])
    aside = np.array([-towards[1], towards[0], 0])
    away = 0.4 * reach
    width = shot.pillar_width * radius * (reach - away) / reach
    pillar = _place(box((width, width * 0.5, 6), (0, 0, 3)), "pillar", PILLAR_ID, [_material(rng, 4)], smooth=False)
    pillar.location = towards * away
    pillar.rotation_euler = (0, 0, middle + math.pi / 2)
    span = 2.3 * radius
    for frame in (1, shot.frames):
        subject.location = aside * (span if frame == 1 else -span)
        subject.keyframe_insert("location", frame=frame)
    _linear(subject)


def _walk(subject: Any, shot: Shot, height: float, radius: float, start: float) -> None:
    """Move the subject across the picture, slightly towards the camera. It casts no shadow, as a moving shadow has no
    id.
    """
    subject.visible_shadow = False
    span = 0.75 * max(height, 0.75 * radius) / shot.fill
    middle = start + math.radians(shot.orbit) * 0.5
    towards = np.array([math.cos(middle), math.sin(middle), 0])
    aside = np.array([-towards[1], towards[0], 0])
    subject.rotation_euler[2] = middle + math.pi
    for frame, way in ((1, -1.0), (shot.frames, 1.0)):
        subject.location = aside * way * span + towards * (0.5 + 0.3 * way) * radius
        subject.keyframe_insert("location", frame=frame)
    _linear(subject)


def _linear(thing: Any) -> None:
    """Make the speed between keys constant."""
    action = thing.animation_data.action
    curves = action.fcurves if hasattr(action, "fcurves") else action.layers[0].strips[0].channelbags[0].fcurves
    for curve in curves:
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


def build(shot: Shot) -> None:
    """Replace Blender's scene by this shot."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    rng = np.random.default_rng(shot.seed)
    materials = [_material(rng, 5) for _ in range(3)]
    if shot.subject == "suzanne":
        subject, height, radius = _suzanne(SUBJECT_ID, materials), 0.85, 0.6
    else:
        mesh = SUBJECTS[shot.subject](rng)
        subject = _place(mesh, "subject", SUBJECT_ID, materials)
        height = float(mesh.vertices[:, 2].max())
        radius = float(np.linalg.norm(mesh.vertices[:, :2], axis=1).max())
    walls, size = _room(rng, shot)
    _lights(rng, shot.frames)
    reach, start, farthest = _camera(rng, shot, height, radius)
    if walls and farthest > size - 0.1:  # the camera must not look at a wall's back
        walls.scale = ((farthest + 0.3) / size, (farthest + 0.3) / size, 1)
    _scatter(rng, shot, radius * (1.6 if shot.moving else 1.0), reach, start)
    if shot.occlusion == "pillar":
        _hide_behind_pillar(rng, subject, shot, radius, reach, start)
    elif shot.walks:
        _walk(subject, shot, height, radius, start)
    elif shot.moving:
        for frame in (1, shot.frames):
            subject.location = (*rng.normal(0, 0.3 * radius, 2), 0)
            subject.rotation_euler[2] = rng.uniform(-1, 1)
            subject.keyframe_insert("location", frame=frame)
            subject.keyframe_insert("rotation_euler", frame=frame)
        _linear(subject)


def _id_material() -> Any:
    """Make a material that emits (object index / 255) on any surface."""
    material = bpy.data.materials.new("id")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    info, scale = nodes.new("ShaderNodeObjectInfo"), nodes.new("ShaderNodeMath")
    scale.operation, scale.inputs[1].default_value = "DIVIDE", 255.0
    glow, out = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    links.new(info.outputs["Object Index"], scale.inputs[0])
    links.new(scale.outputs[0], glow.inputs["Strength"])
    links.new(glow.outputs[0], out.inputs["Surface"])
    return material


def _animate(folder: Path, kind: str) -> None:
    bpy.context.scene.render.filepath = str(folder / "####")
    bpy.context.scene.render.image_settings.file_format = kind
    bpy.ops.render.render(animation=True)


def render(shot: Shot, folder: Path, threads: int = 2) -> None:
    """Render a shot into `folder`: rgb/0001.jpg ... and id/0001.png ... (8 bit; 0 = room, 1 = subject).

    If the subject walks, clean/0001.jpg ... shows the same without it. With `coverage_samples` above 1, id/ has only
    the subject, as 255 times its coverage of the pixel.
    """
    build(shot)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, shot.frames
    r, c = scene.render, scene.cycles
    r.engine, r.threads_mode, r.threads = "CYCLES", "FIXED", threads
    r.resolution_x, r.resolution_y, r.resolution_percentage = shot.width, shot.height, 100
    r.use_persistent_data, r.dither_intensity = True, 0.0
    r.image_settings.quality = shot.quality
    c.device, c.samples, c.use_adaptive_sampling, c.seed = "CPU", shot.samples, False, shot.seed % 2**31
    c.max_bounces, c.diffuse_bounces, c.glossy_bounces = 3, 2, 2
    c.caustics_reflective = c.caustics_refractive = False
    c.sample_clamp_indirect = 3.0
    c.use_denoising, c.denoiser, c.denoising_prefilter = True, "OPENIMAGEDENOISE", "NONE"
    c.denoising_quality = "FAST" if shot.draft else "HIGH"
    _animate(folder / "rgb", "JPEG")
    if shot.walks:
        subject = next(thing for thing in scene.objects if thing.pass_index == SUBJECT_ID)
        subject.hide_render = True
        _animate(folder / "clean", "JPEG")
        subject.hide_render = False

    bpy.context.view_layer.material_override = _id_material()
    if shot.coverage_samples > 1:
        for thing in scene.objects:
            thing.pass_index = 255 if thing.pass_index == SUBJECT_ID else 0
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.0
    c.use_denoising, c.samples, c.max_bounces = False, shot.coverage_samples, 0
    c.filter_width = 1.0 if shot.coverage_samples > 1 else 0.01
    c.pixel_filter_type = "BOX"
    scene.view_settings.view_transform = "Raw"
    for lamp in bpy.data.lights:
        lamp.animation_data_clear()
        lamp.energy = 0.0
    r.image_settings.color_mode = "BW"
    _animate(folder / "id", "PNG")
