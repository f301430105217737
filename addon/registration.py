"""Registers everything with Blender when the extension is enabled, and unregisters it in reverse order."""

from __future__ import annotations

import atexit

import bpy

from . import cli, language
from .clip import undo
from .operators.accept_repairs import SPLATMATTE_OT_accept_repairs
from .operators.cancel import SPLATMATTE_OT_cancel
from .operators.change_queue import SPLATMATTE_OT_change_queue
from .operators.check_cameras import SPLATMATTE_OT_check_cameras
from .operators.clean_splat import SPLATMATTE_OT_clean_splat
from .operators.clear_picked import SPLATMATTE_OT_clear_picked
from .operators.click import SPLATMATTE_OT_click
from .operators.copy_diagnostics import SPLATMATTE_OT_copy_diagnostics
from .operators.download_checkpoint import SPLATMATTE_OT_download_checkpoint
from .operators.drop_frame import SPLATMATTE_OT_drop_frame
from .operators.export import SPLATMATTE_OT_export
from .operators.find import SPLATMATTE_OT_find
from .operators.find_footage import SPLATMATTE_OT_find_footage
from .operators.find_static import SPLATMATTE_OT_find_static
from .operators.from_here_on import SPLATMATTE_OT_from_here_on
from .operators.go_to_mark import SPLATMATTE_OT_go_to_mark
from .operators.hold import SPLATMATTE_OT_hold
from .operators.install_engine import SPLATMATTE_OT_install_engine
from .operators.jump import SPLATMATTE_OT_jump
from .operators.keep_all_frames import SPLATMATTE_OT_keep_all_frames
from .operators.mark_exclude import SPLATMATTE_OT_mark_exclude
from .operators.mark_include import SPLATMATTE_OT_mark_include
from .operators.mark_subject import SPLATMATTE_OT_mark_subject, switch_off
from .operators.move_data import SPLATMATTE_OT_move_data
from .operators.object_from_tracks import SPLATMATTE_OT_object_from_tracks
from .operators.open_folder import SPLATMATTE_OT_open_folder
from .operators.open_log import SPLATMATTE_OT_open_log
from .operators.pick import SPLATMATTE_OT_pick
from .operators.presets import SPLATMATTE_OT_export_preset, SPLATMATTE_OT_finishing_preset
from .operators.preview import SPLATMATTE_OT_preview
from .operators.refine_transients import SPLATMATTE_OT_refine_transients
from .operators.release import SPLATMATTE_OT_release
from .operators.remove_engine import SPLATMATTE_OT_remove_engine
from .operators.remove_mark import SPLATMATTE_OT_remove_mark
from .operators.repair import SPLATMATTE_OT_repair
from .operators.restart_engine import SPLATMATTE_OT_restart_engine
from .operators.select_frames import SPLATMATTE_OT_select_frames
from .operators.self_test import SPLATMATTE_OT_self_test
from .operators.send_to_farm import SPLATMATTE_OT_send_to_farm
from .operators.set_scene_frames import SPLATMATTE_OT_set_scene_frames
from .operators.set_up import SPLATMATTE_OT_set_up
from .operators.stop_setup import SPLATMATTE_OT_stop_setup
from .operators.suggest import SPLATMATTE_OT_suggest
from .operators.switch_object import SPLATMATTE_OT_switch_object
from .operators.to_compositor import SPLATMATTE_OT_to_compositor
from .operators.to_mask import SPLATMATTE_OT_to_mask
from .operators.track import SPLATMATTE_OT_track
from .operators.trust_file import SPLATMATTE_OT_trust_file
from .operators.wipe import SPLATMATTE_OT_wipe
from .runtime import log_file
from .runtime.engine_client import stop_shared_engine
from .settings import clip_settings, mask_changes, preferences
from .tasks import job_run, setup_run
from .ui import file_changes, marks, menus, overlay, panels
from .ui.preferences_panel import SPLATMATTE_AP_preferences
from .viewer import finished_mattes, previews

CLASSES = (
    SPLATMATTE_AP_preferences,
    *clip_settings.CLASSES,
    SPLATMATTE_OT_preview,
    SPLATMATTE_OT_track,
    SPLATMATTE_OT_from_here_on,
    SPLATMATTE_OT_finishing_preset,
    SPLATMATTE_OT_export_preset,
    SPLATMATTE_OT_set_scene_frames,
    SPLATMATTE_OT_hold,
    SPLATMATTE_OT_release,
    SPLATMATTE_OT_check_cameras,
    SPLATMATTE_OT_repair,
    SPLATMATTE_OT_accept_repairs,
    SPLATMATTE_OT_clean_splat,
    SPLATMATTE_OT_select_frames,
    SPLATMATTE_OT_send_to_farm,
    SPLATMATTE_OT_find_static,
    SPLATMATTE_OT_drop_frame,
    SPLATMATTE_OT_keep_all_frames,
    SPLATMATTE_OT_suggest,
    SPLATMATTE_OT_find,
    SPLATMATTE_OT_pick,
    SPLATMATTE_OT_clear_picked,
    SPLATMATTE_OT_refine_transients,
    SPLATMATTE_OT_export,
    SPLATMATTE_OT_cancel,
    SPLATMATTE_OT_change_queue,
    SPLATMATTE_OT_find_footage,
    SPLATMATTE_OT_jump,
    SPLATMATTE_OT_wipe,
    SPLATMATTE_OT_to_mask,
    SPLATMATTE_OT_to_compositor,
    SPLATMATTE_OT_mark_include,
    SPLATMATTE_OT_mark_exclude,
    SPLATMATTE_OT_mark_subject,
    SPLATMATTE_OT_click,
    SPLATMATTE_OT_go_to_mark,
    SPLATMATTE_OT_remove_mark,
    SPLATMATTE_OT_object_from_tracks,
    SPLATMATTE_OT_switch_object,
    SPLATMATTE_OT_open_folder,
    SPLATMATTE_OT_restart_engine,
    SPLATMATTE_OT_set_up,
    SPLATMATTE_OT_install_engine,
    SPLATMATTE_OT_self_test,
    SPLATMATTE_OT_remove_engine,
    SPLATMATTE_OT_move_data,
    SPLATMATTE_OT_download_checkpoint,
    SPLATMATTE_OT_stop_setup,
    SPLATMATTE_OT_open_log,
    SPLATMATTE_OT_trust_file,
    SPLATMATTE_OT_copy_diagnostics,
    *menus.CLASSES,
    *panels.CLASSES,
)
MODULES = (
    log_file,
    language,
    clip_settings,
    mask_changes,
    undo,
    menus,
    overlay,
    marks,
    previews,
    finished_mattes,
    file_changes,
    cli,
)


def register() -> None:
    """Everything that the extension adds."""
    for cls in CLASSES:
        cls.bl_translation_context = language.CONTEXT  # type: ignore[union-attr]  # those of Blender's that have one
        bpy.utils.register_class(cls)
    for module in MODULES:
        module.register()
    preferences.take_up()
    atexit.register(stop_shared_engine)
    atexit.register(setup_run.forget)


def unregister() -> None:
    """Takes all of it away, the engine too: Blender and its window go on, so nothing is waited for."""
    preferences.keep()
    switch_off(bpy.context)
    setup_run.forget(wait=False)
    job_run.forget()
    stop_shared_engine(wait=False)
    atexit.unregister(stop_shared_engine)
    atexit.unregister(setup_run.forget)
    for module in reversed(MODULES):
        module.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
