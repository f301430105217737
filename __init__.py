"""Splat Matte: mattes for Gaussian splats, tracked by SAM 2 from markers in the Movie Clip Editor."""


def register() -> None:
    """Called by Blender when the extension is enabled."""
    from .addon import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
    from .addon import registration

    registration.unregister()
