"""Builds sam2's modules, and nothing else, from a model's config.

A config is foreign data. It is read as plain YAML (no tags, no aliases, no `${...}`) of bounded size and depth. It may
name only the classes of one table, with their own arguments. Hydra, which upstream uses, imports and calls whatever a
config names.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import torch
import yaml
from sam2.modeling.backbones.hieradet import Hiera
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
from sam2.modeling.position_encoding import PositionEmbeddingSine
from sam2.modeling.sam.transformer import RoPEAttention
from sam2.modeling.sam2_base import SAM2Base
from torch.overrides import TorchFunctionMode

from ...contract.boundary import in_words, reading
from ...contract.errors import CheckpointError
from .efficientnet_lite import EfficientNetLite0
from .predictor import Predictor

# What a config may name. A new module of ours is one line here, under the name that it has in this repository: that of
# an installed extension's package differs.
MODULES: dict[str, type[torch.nn.Module]] = {
    f"{kind.__module__}.{kind.__qualname__}": kind
    for kind in (
        CXBlock,
        FpnNeck,
        Fuser,
        Hiera,
        ImageEncoder,
        MaskDownSampler,
        MemoryAttention,
        MemoryAttentionLayer,
        MemoryEncoder,
        PositionEmbeddingSine,
        RoPEAttention,
    )
} | {"addon.engine.sam2.efficientnet_lite.EfficientNetLite0": EfficientNetLite0}
_ROOT = f"{SAM2Base.__module__}.{SAM2Base.__qualname__}"
_REFUSED = {"weights_path"}  # arguments of these classes that open files or URLs
_COMPILED = "compile_image_encoder"  # would start a compiler

# Far above the largest published model: 224 million weights in some 900 tensors.
_MAX_BYTES = 64 * 1024
_MAX_DEPTH = 12
_MAX_ITEMS = 64  # items of a list
_MAX_NUMBER = 4096
_MAX_NUMBERS = {"num_layers": 64, "stages": 64, "temperature": 1e6, "rope_theta": 1e6}  # limits for these keys instead
_MAX_WORD = 64  # characters
_MAX_ELEMENTS = 400_000_000
_MAX_CALLS = 100_000
_SIDES = range(128, 2049, 32)  # pixels of the model's input
# YAML 1.1 reads 1e-6 as a word. Published configs mean a number, and OmegaConf reads it as one.
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)$|[-+]?\.[0-9_]+(?:[eE][-+]?[0-9]+)?$")
_HINT = "Choose the config that the checkpoint was trained with."
_PLAIN = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map"))

# What upstream's build_sam2_video_predictor adds to a config (sam2/build_sam.py, apply_postprocessing), except
# fill_hole_area: that needs a CUDA extension which no artist has; finishing fills holes on request.
_DYNAMIC_MULTIMASK = {
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}
_UPSTREAM_POSTPROCESSING = {"binarize_mask_from_pts_for_mem_enc": True}


def build(path: Path) -> Predictor:
    """Build the predictor that a config describes, with random weights. Raises CheckpointError that names the file."""
    model = read_config(path)
    extra = model.get("sam_mask_decoder_extra_args") or {}
    with (
        reading(CheckpointError, "No SAM 2 can be built from this config", where=str(path), hint=_HINT),
        _Bounded(),
    ):
        arguments = {name: _build(value, f"model.{name}") for name, value in model.items() if name != "_target_"}
        arguments |= _UPSTREAM_POSTPROCESSING
        arguments["sam_mask_decoder_extra_args"] = _DYNAMIC_MULTIMASK | extra
        return Predictor(**arguments)


def read_config(path: Path) -> dict[str, Any]:
    """The `model` of a config as plain data that names only classes in MODULES. Raises CheckpointError."""
    with reading(CheckpointError, "This config can't be read", where=str(path), hint=_HINT):
        data = _read_yaml(path)
        model = data.get("model") if isinstance(data, dict) else None
        if not isinstance(model, dict) or model.get("_target_") != _ROOT:
            raise ValueError(f"it has no model of the class {_ROOT}")
        _check(model, "model")
        _check_arguments(model, SAM2Base, "model")
        if model.get("image_size", _SIDES[0]) not in _SIDES:
            raise ValueError(
                f"model.image_size is {model['image_size']!r}, not {_SIDES[0]} to {_SIDES[-1]} in steps of 32"
            )
        return model


def read_bytes(path: Path) -> bytes:
    """Read a config's bytes. Raises CheckpointError if the file can't be read or is too large."""
    with reading(CheckpointError, "This config can't be read", where=str(path), hint=_HINT):
        if path.exists() and not path.is_file():  # reading a pipe or a device may never end
            raise ValueError("it is no file")
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ValueError(f"it is larger than {_MAX_BYTES:,} bytes")
        return data


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.load(read_bytes(path).decode("utf-8-sig"), _Loader)
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{error.problem or error.context or 'it is no YAML'}{line}") from None


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml is untyped
    """A YAML loader for plain data: no anchors, aliases, tags or duplicate keys, and bounded depth."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="a config has no anchors and aliases", problem_mark=event.start_mark)
        if self._depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="it is nested too deeply", problem_mark=event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and node.tag not in _PLAIN:
            raise yaml.MarkedYAMLError(problem=f"a config has no {node.tag}", problem_mark=node.start_mark)
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        found = [self.construct_object(key, deep=True) for key, _ in node.value]
        if not all(isinstance(key, str) for key in found) or len(set(found)) < len(found):
            raise yaml.MarkedYAMLError(problem="a key is no word, or there twice", problem_mark=node.start_mark)
        result: dict[Any, Any] = super().construct_mapping(node, deep)
        return result


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def _check(node: Any, where: str) -> None:
    """Check that values are as in a config. Raises ValueError that names the place."""
    if isinstance(node, dict):
        target = node.get("_target_")
        if where != "model" and "_target_" in node and not (isinstance(target, str) and target in MODULES):
            raise ValueError(f"{where} asks for {target!r}; only sam2's own modules and our trunk are allowed")
        if "_target_" in node and where != "model":
            _check_arguments(node, MODULES[node["_target_"]], where)
        for key, value in node.items():
            _check(value, f"{where}.{key}")
    elif isinstance(node, list):
        if len(node) > _MAX_ITEMS:
            raise ValueError(f"{where} has {len(node)} items")
        for i, value in enumerate(node):
            _check(value, f"{where}[{i}]")
    elif isinstance(node, str):
        if "${" in node or (len(node) > _MAX_WORD and not where.endswith("._target_")):
            raise ValueError(f"{where} is no plain word")
    elif isinstance(node, int | float):
        most = _MAX_NUMBERS.get(where.rpartition(".")[2].partition("[")[0], _MAX_NUMBER)
        if not abs(node) <= most:
            raise ValueError(f"{where} is not a number up to {most:g}")


def _check_arguments(node: dict[str, Any], kind: type[torch.nn.Module], where: str) -> None:
    bases = [base for base in kind.__mro__ if issubclass(base, torch.nn.Module) and base is not torch.nn.Module]
    known = {name for base in bases for name in inspect.signature(base).parameters}
    if unknown := sorted(set(node) - (known - _REFUSED | {"_target_"})):
        raise ValueError(f"{where} has an argument {unknown[0]!r}, which a config may not give")
    if node.get(_COMPILED):
        raise ValueError(f"{where}.{_COMPILED} is not supported")


def _build(node: Any, where: str) -> Any:
    """Build modules from the inside out; other values are returned unchanged. The data must have been checked."""
    if isinstance(node, list):
        return [_build(value, f"{where}[{i}]") for i, value in enumerate(node)]
    if not isinstance(node, dict):
        return node
    arguments = {name: _build(value, f"{where}.{name}") for name, value in node.items() if name != "_target_"}
    if "_target_" not in node:
        return arguments
    try:
        return MODULES[node["_target_"]](**arguments)
    except Exception as error:
        raise ValueError(f"{where}: {in_words(error)}") from None


class _Bounded(TorchFunctionMode):
    """While modules are built, refuses more or larger tensors than any model has, before they are allocated."""

    _MAKERS = frozenset((torch.empty, torch.zeros, torch.ones, torch.full, torch.randn, torch.rand, torch.arange))

    def __init__(self) -> None:
        super().__init__()
        self._elements = 0
        self._calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count the requested tensors, then call the function."""
        self._calls += 1
        if func in self._MAKERS:
            self._elements += _elements(args, arange=func is torch.arange)
        elif func in (torch.Tensor.clone, torch.clone):
            self._elements += args[0].numel()
        if self._elements > _MAX_ELEMENTS or self._calls > _MAX_CALLS:
            raise ValueError("it is larger than any SAM 2")
        return func(*args, **(kwargs or {}))


def _elements(sizes: Any, *, arange: bool) -> int:
    total = 1
    for size in sizes:
        if isinstance(size, tuple | list):
            total *= _elements(size, arange=False)
        elif isinstance(size, int | float):
            total = max(total, int(size)) if arange else total * int(size)
    return total
