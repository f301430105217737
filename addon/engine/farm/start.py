"""Starts the engine on a worker that only has the path of this file: PYTHON -I -X utf8 start.py VERB ..."""

import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
runpy.run_module("addon.engine", run_name="__main__", alter_sys=True)
