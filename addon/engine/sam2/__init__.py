"""SAM 2: loads weights as a predictor on a device, and prepares its input. `cpu` makes it fast on a CPU.

Imports `footage` and `store`.
"""

import importlib.util
import sys

# Upstream's package starts Hydra when it is imported, to build models from its configs. config.py builds them here, and
# Hydra takes a seventh of the time that torch does: the package's modules are used without that.
_upstream = importlib.util.find_spec("sam2")
if _upstream is not None and "sam2" not in sys.modules:
    sys.modules["sam2"] = importlib.util.module_from_spec(_upstream)
