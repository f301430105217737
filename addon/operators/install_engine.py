"""Install, update or repair the engine: all three build a new runtime beside the old one."""

from __future__ import annotations

import bpy

from ..language.properties import StringProperty
from ..tasks import setup_run
from .setup_operator import SetupOperator, ask_for_network


class InstallOperator(SetupOperator):
    """Mix-in of operators that install the engine as planned."""

    verb: setup_run.Verb = "install"

    agreed: StringProperty(
        description="The build of PyTorch that was agreed to, where the planned one can't be had",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    def arguments(self) -> list[str]:
        """Return the plan that the preferences show."""
        plan = setup_run.plan()
        if plan.wheels is None:
            ask_for_network()
        options = ["--build", plan.build]
        options += ["--python", plan.python] if plan.python else []
        options += ["--wheels", str(plan.wheels)] if plan.wheels is not None else []
        options += ["--agreed", self.agreed] if self.agreed else []
        return options


class SPLATMATTE_OT_install_engine(InstallOperator, bpy.types.Operator):
    """Download and install what finds the subject. An old engine works on until the new one has passed its test"""

    bl_idname = "splat_matte.install_engine"
    bl_label = "Install Engine"
