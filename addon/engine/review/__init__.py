"""Reviews mattes: measures, suspects with reasons, solved cameras, the visual hull, and repairs.

Imports `footage`, `store`, `sam2`, `tracking` and `matting`.
"""
