"""Procedural scenes for Blender's Cycles. `meshes` and `subjects` are plain numpy; only `blender` imports bpy."""
