"""Draws mattes over the plate in the clip editor, and the frame status along the bottom.

It uses the gpu module and the matte store: logits go to the GPU unchanged and the shader finds the edge, so the edge is
as sharp at any zoom as in the export. For objects with finishing, the engine's finished mattes are drawn instead. A
texture is kept until its frame or its source changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import blf
import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from ..clip.footage import shown_frame
from ..clip.frame_status import KINDS, Colour, Kind, is_current, lane_of
from ..clip.summary import Summary, shown_summary_of
from ..contract.automatic import number_of
from ..contract.errors import MatteError
from ..contract.frame_numbers import runs_of
from ..contract.layout import STATIC_AREA
from ..language import translated
from ..results.take_reader import as_stored
from ..runtime.log_file import logged
from ..settings.clip_settings import OVERLAY_STYLES, settings_of
from ..settings.palette import PALETTE, colour_of
from ..viewer.finished_mattes import Finished, finished_of
from ..viewer.repairs import curves_on, offers_of
from ..viewer.sources import Source, found_of, read, sources_of
from .shapes import draw_flat, draw_lines

_STYLE_NUMBERS = {name: number for number, (name, _, _) in enumerate(OVERLAY_STYLES)}
_STRIPES = len(OVERLAY_STYLES)  # the style of areas under static masks
_BLACK = (0.0, 0.0, 0.0)

_LANE_HEIGHT = 8  # pixels at a scale of 1
_LANE_BOTTOM = 6  # above Blender's own cache line
_OFFER, _OFFER_RIM = (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.8)
_WIPE = (1.0, 1.0, 1.0, 0.8)
_FONT = 0  # the interface's font
_EMPTY = (0.1, 0.1, 0.1, 0.6)
_SHOWN, _SHOWN_RIM = (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 1.0)  # the mark of the current frame

_VERTEX = """
void main() {
  place = uv;
  gl_Position = matrix * vec4(pos, 0.0, 1.0);
}
"""
# Bilinear filtering is written out, because not every GPU can filter 32-bit float textures.
_FRAGMENT = """
float at(ivec2 texel) {
  return texelFetch(logits, clamp(texel, ivec2(0), textureSize(logits, 0) - 1), 0).r;
}
float bilinear(vec2 p) {
  ivec2 i = ivec2(floor(p));
  vec2 f = p - vec2(i);
  return mix(mix(at(i), at(i + ivec2(1, 0)), f.x), mix(at(i + ivec2(0, 1)), at(i + ivec2(1, 1)), f.x), f.y);
}
void main() {
  vec2 p = place * vec2(textureSize(logits, 0)) - 0.5;
  vec2 right = dFdx(p);
  vec2 up = dFdy(p);
  if (place.x < split) {
    discard;
  }
  float logit = bilinear(p);
  float inside = soft == 1 ? clamp(0.5 * logit + 0.5, 0.0, 1.0) : step(1e-9, logit);
  if (style == 0) {
    colour = vec4(tint, inside * opacity);
  } else if (style == 1) {
    vec4 around = vec4(bilinear(p + right), bilinear(p - right), bilinear(p + up), bilinear(p - up));
    float share = dot(step(1e-9, around), vec4(0.25));
    colour = vec4(tint, min(1.0, 4.0 * share * (1.0 - share)));
  } else if (style == 2) {
    float square = mod(floor(gl_FragCoord.x / 8.0) + floor(gl_FragCoord.y / 8.0), 2.0);
    colour = vec4(vec3(0.25 + 0.2 * square), 1.0 - inside);
  } else if (style == 3) {
    colour = vec4(vec3(inside), 1.0);
  } else {
    float stripe = step(0.5, fract((gl_FragCoord.x + gl_FragCoord.y) / 16.0));
    colour = vec4(tint, inside * mix(0.35, 0.7, stripe));
  }
}
"""


Tint = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class _Layer:
    """One object's matte, or the area under static masks, ready to draw."""

    texture: gpu.types.GPUTexture
    tint: Tint
    style: int


_shader: gpu.types.GPUShader | None = None
_textures: dict[tuple[str, int, str], tuple[object, gpu.types.GPUTexture]] = {}
_handle: Any = None


def colours(clip: bpy.types.MovieClip) -> dict[str, Tint]:
    """Return each object's colour: tracking objects in their order, then others with mattes (layers of a mask)."""
    names = [tracking_object.name for tracking_object in clip.tracking.objects]
    settings = settings_of(clip)
    names += [entry.name for entry in settings.objects if entry.name not in names]
    own = {entry.name: tuple(entry.colour) for entry in settings.objects}
    return {name: own.get(name, PALETTE[i % len(PALETTE)]) for i, name in enumerate(names)}


def is_stabilised(space: bpy.types.SpaceClipEditor) -> bool:
    """Whether the plate is shown stabilised. Blender does not expose the transform."""
    return space.show_stable and space.clip.tracking.stabilization.use_2d_stabilization


def shows_overlays(space: bpy.types.SpaceClipEditor) -> bool:
    """Whether the editor's own switch for overlays is on, which exists since Blender 5.0."""
    return getattr(getattr(space, "overlay", None), "show_overlays", True)


@logged
def _draw() -> None:
    context = bpy.context
    space = context.space_data
    if not isinstance(space, bpy.types.SpaceClipEditor) or space.clip is None or space.view != "CLIP":
        return
    clip = space.clip
    settings = settings_of(clip)
    if not shows_overlays(space):
        return
    if settings.overlay_show and is_stabilised(space):
        words = translated("Mattes are not drawn over a stabilised plate: switch that off.")
        _draw_words(context, {"": words}, {"": (1.0, 1.0, 1.0)})
    elif settings.overlay_show:
        frame = shown_frame(clip, space, context.scene)
        sources, tints = sources_of(clip, frame), colours(clip)
        _draw_mattes(context, clip, frame, sources, tints)
        _draw_offers(context, clip, frame, shown_summary_of(clip))
        _draw_words(context, words_of(clip, shown_summary_of(clip), sources, tints), tints)
    if settings.overlay_lane:
        _draw_lane(context, clip, lane_of(clip, shown_summary_of(clip)), shown_frame(clip, space, context.scene))


def _draw_mattes(
    context: bpy.types.Context,
    clip: bpy.types.MovieClip,
    frame: int,
    sources: dict[str, Source],
    tints: dict[str, Tint],
) -> None:
    settings = settings_of(clip)
    style = settings.overlay_style
    finished = finished_of(clip, frame, sources)
    found = found_of(clip, frame)
    tints = tints | {name: colour_of(number_of(name)) for name in found}
    sources = {name: source for name, source in (sources | found).items() if settings.shows(name)}
    layers = list(_layers(clip, frame, sources, tints, finished, style))
    if not layers:
        return
    view = context.region.view2d
    corners: Any = view.view_to_region(0, 0, clip=False), view.view_to_region(1, 1, clip=False)
    (left, bottom), (right, top) = corners
    shader = _get_shader()
    batch = batch_for_shader(
        shader,
        "TRI_STRIP",
        {
            "pos": [(left, bottom), (right, bottom), (left, top), (right, top)],
            "uv": [(0, 0), (1, 0), (0, 1), (1, 1)],
        },
    )
    gpu.state.blend_set("ALPHA")
    shader.bind()
    matrix: Any = gpu.matrix.get_projection_matrix() @ gpu.matrix.get_model_view_matrix()
    shader.uniform_float("matrix", matrix)
    shader.uniform_float("opacity", settings.overlay_opacity)
    shader.uniform_float("split", settings.overlay_split if settings.overlay_wipe else -1.0)
    shader.uniform_int("soft", int(finished is not None and finished.soft))
    for layer in layers:
        shader.uniform_int("style", layer.style)
        shader.uniform_float("tint", layer.tint)
        shader.uniform_sampler("logits", layer.texture)
        batch.draw(shader)
    if settings.overlay_wipe:
        x = left + settings.overlay_split * (right - left)
        draw_flat("LINES", [(x, bottom), (x, top)], [_WIPE] * 2)
    gpu.state.blend_set("NONE")


def _draw_offers(context: bpy.types.Context, clip: bpy.types.MovieClip, frame: int, summary: Summary) -> None:
    """Draw the outlines of offered mattes, white on black, to stand out from any style and any object's colour."""
    settings, coordinates = settings_of(clip), summary.coordinates
    offers = offers_of(clip, summary)
    names = [name for name, frames in offers.items() if frame in frames and settings.shows(name)]
    if not names or coordinates is None:
        return
    view, scale = context.region.view2d, context.preferences.system.ui_scale
    curves: list[Any] = []
    for name in names:
        for curve in curves_on(clip, name, frame):
            places = (coordinates.to_marker(frame, place) for place in (*curve, curve[0]))
            curves.append([view.view_to_region(u, v, clip=False) for u, v in places])
    draw_lines(curves, [(_OFFER_RIM, 4.0 * scale), (_OFFER, 2.0 * scale)])


def _layers(
    clip: bpy.types.MovieClip,
    frame: int,
    sources: dict[str, Source],
    tints: dict[str, Tint],
    finished: Finished | None,
    style: str,
) -> Iterator[_Layer]:
    """Yield the layers of a frame: the static area, then one layer per object or one of all objects together."""
    for old in [key for key in _textures if key[:2] != (clip.name, frame)]:
        del _textures[old]
    number = _STYLE_NUMBERS[style]
    if style in ("checker", "matte"):
        if sources:
            yield _Layer(_texture(clip, frame, "", sources, finished), (1.0, 1.0, 1.0), number)
        return
    if finished is not None and STATIC_AREA in finished.alpha:
        static = {STATIC_AREA: Source(finished.made, None)}
        yield _Layer(_texture(clip, frame, STATIC_AREA, static, finished), _BLACK, _STRIPES)
    for name, tint in tints.items():
        if name in sources:
            yield _Layer(_texture(clip, frame, name, {name: sources[name]}, finished), tint, number)


def _texture(
    clip: bpy.types.MovieClip, frame: int, key: str, sources: dict[str, Source], finished: Finished | None
) -> gpu.types.GPUTexture:
    state = (sources, finished and finished.made)
    known = _textures.get((clip.name, frame, key))
    if known is not None and known[0] == state:
        return known[1]
    alpha = finished.alpha if finished is not None else {}
    orientation = _orientation(clip, frame)
    logits = []
    for name, source in sources.items():
        if name in alpha:
            logits.append(_as_logits(as_stored(alpha[name], orientation)[::-1]))
        elif (array := read(clip, frame, name, source)) is not None:
            logits.append(as_stored(array, orientation)[::-1])
    rows_up = np.ascontiguousarray(_union(logits), np.float32)
    height, width = rows_up.shape
    samples: Any = rows_up.ravel()  # Blender takes a buffer, whatever its stubs say
    buffer = gpu.types.Buffer("FLOAT", width * height, samples)
    texture = gpu.types.GPUTexture((width, height), format="R32F", data=buffer)
    _textures[clip.name, frame, key] = (state, texture)
    return texture


def _as_logits(alpha: NDArray[np.uint8]) -> NDArray[np.float32]:
    """0..255 as -1..1, in one new array only: the memory of each costs Blender's main thread more than its numbers."""
    logits: NDArray[np.float32] = np.multiply(alpha, np.float32(1 / 127.5), dtype=np.float32, order="C")
    logits -= 1
    return logits


def _union(logits: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return the union of mattes with the same aspect ratio, at the size of the largest."""
    if not logits:
        return np.full((1, 1), -1, np.float32)
    if len({array.shape for array in logits}) == 1:
        return logits[0] if len(logits) == 1 else np.asarray(np.maximum.reduce(logits), np.float32)
    height, width = max((array.shape for array in logits), key=lambda shape: shape[0] * shape[1])
    rows, columns = ((np.arange(side) + 0.5) / side for side in (height, width))
    as_fine = [
        array[np.ix_(*((at * side).astype(np.intp) for at, side in zip((rows, columns), array.shape, strict=True)))]
        for array in logits
    ]
    return np.asarray(np.maximum.reduce(as_fine), np.float32)


def _orientation(clip: bpy.types.MovieClip, frame: int) -> int:
    coordinates = shown_summary_of(clip).coordinates
    if coordinates is None:
        return 1
    try:
        return coordinates.orientation(frame)
    except MatteError:
        return 1


def _get_shader() -> gpu.types.GPUShader:
    """Return the shader. It is made at the first drawing, as there is no GPU in the background."""
    global _shader
    if _shader is None:
        interface = gpu.types.GPUStageInterfaceInfo("splat_matte_interface")
        interface.smooth("VEC2", "place")
        info = gpu.types.GPUShaderCreateInfo()
        info.vertex_in(0, "VEC2", "pos")
        info.vertex_in(1, "VEC2", "uv")
        info.vertex_out(interface)
        info.push_constant("MAT4", "matrix")
        info.push_constant("VEC3", "tint")
        info.push_constant("FLOAT", "opacity")
        info.push_constant("FLOAT", "split")
        info.push_constant("INT", "style")
        info.push_constant("INT", "soft")
        info.sampler(0, "FLOAT_2D", "logits")
        info.fragment_out(0, "VEC4", "colour")
        info.vertex_source(_VERTEX)
        info.fragment_source(_FRAGMENT)
        _shader = gpu.shader.create_from_info(info)
    return _shader


def _draw_lane(context: bpy.types.Context, clip: bpy.types.MovieClip, frames: dict[str, set[int]], shown: int) -> None:
    """Draw all frames of the clip along the bottom, whatever the scene's range, with a mark at the shown one."""
    if not any(frames.values()):
        return
    scale = context.preferences.system.ui_scale
    count = max(1, clip.frame_duration)
    width = context.region.width / count
    above = _above_redo_panel(context)
    bars = [(1, count + 1, Kind("", "", _EMPTY))]
    bars += [(run.start, run.stop, kind) for name, kind in KINDS.items() for run in runs_of(frames[name])]
    positions: list[tuple[float, float]] = []
    colours: list[Colour] = []
    for start, end, kind in bars:
        x0 = (max(start, 1) - 1) * width
        x1 = max((min(end, count + 1) - 1) * width, x0 + 1)
        bottom, top = (above + scale * (_LANE_BOTTOM + _LANE_HEIGHT * value) for value in (kind.low, kind.high))
        positions += _rectangle(x0, x1, bottom, top)
        colours += [kind.colour] * 6
    if 1 <= shown <= count:
        x = (shown - 0.5) * width
        bottom = above + scale * _LANE_BOTTOM
        for half, colour in ((2, _SHOWN_RIM), (1, _SHOWN)):
            positions += _rectangle(
                x - half * scale, x + half * scale, bottom - half * scale, bottom + (_LANE_HEIGHT + half) * scale
            )
            colours += [colour] * 6
    gpu.state.blend_set("ALPHA")
    draw_flat("TRIS", positions, colours)
    gpu.state.blend_set("NONE")


def _rectangle(x0: float, x1: float, y0: float, y1: float) -> list[tuple[float, float]]:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y0), (x1, y1), (x0, y1)]


def words_of(
    clip: bpy.types.MovieClip, summary: Summary, sources: dict[str, Source], tints: dict[str, Tint]
) -> dict[str, str]:
    """Return messages for objects without a matte on this frame, or with an old one, which would else look empty."""
    settings = settings_of(clip)
    words = {}
    for name in summary.marked:
        if name not in tints or not settings.shows(name):
            continue
        source = sources.get(name)
        if source is None:
            words[name] = translated(f"{name}: no matte on this frame yet")
        elif source.file is not None and not is_current(settings.objects[name], str(source.file.parents[1]), summary):
            words[name] = translated(f"{name}: marks or footage have changed since this was tracked")
    return words


def _draw_words(context: bpy.types.Context, words: dict[str, str], tints: dict[str, Tint]) -> None:
    """Draw the messages above the lane, in the objects' colours."""
    scale = context.preferences.system.ui_scale
    height = _above_redo_panel(context) + (_LANE_BOTTOM + _LANE_HEIGHT + 8) * scale
    for name, line in reversed(words.items()):
        blf.size(_FONT, 11 * scale)
        blf.enable(_FONT, blf.SHADOW)
        blf.shadow(_FONT, 3, 0.0, 0.0, 0.0, 0.9)
        blf.color(_FONT, *tints[name], 1.0)
        blf.position(_FONT, 12 * scale, height, 0)
        blf.draw(_FONT, line)
        blf.disable(_FONT, blf.SHADOW)
        height += 16 * scale


def _above_redo_panel(context: bpy.types.Context) -> float:
    """Return the bottom of the lane in pixels of the region: above Blender's redo panel while that is shown."""
    area, region = context.area, context.region
    tops = [hud.y + hud.height - region.y for hud in area.regions if hud.type == "HUD" and hud.height > 1]
    return max((0, *tops))


def register() -> None:
    """Start drawing."""
    global _handle
    _handle = bpy.types.SpaceClipEditor.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    """Stop drawing and free the GPU's memory."""
    global _shader, _handle
    bpy.types.SpaceClipEditor.draw_handler_remove(_handle, "WINDOW")
    _textures.clear()
    _shader = _handle = None
