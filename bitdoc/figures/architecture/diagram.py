"""Block diagrams traced from the network's own modules: one function draws any block.

A block's ``forward`` is traced, not read: every operation that the trace meets becomes a box, with the shape it
returns and the line of source it stands on. Change the module and the picture changes.
"""

from __future__ import annotations

import copy
import difflib
import operator
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional as F

from bitdoc.figures import style
from bitdoc.network.norms import StdConv2d

#: Width and height of a box and the distance between the two columns, in the diagram's own units (rows are 1 apart).
_WIDTH, _HEIGHT, _COLUMN = 1.0, 0.76, 1.1


@dataclass(frozen=True)
class Box:
    """One operation of a block.

    Attributes
    ----------
    name : str
        Its name in the trace; for a layer the attribute that holds it, such as ``"conv_b"``.
    label, detail : str
        What a reader sees, such as ``"3×3 conv"`` and ``"64 /2"`` (64 channels out, stride 2); ``"in"`` and ``"out"``
        for the two ends.
    inputs : tuple of str
        Names of the boxes it reads from.
    shape : tuple of int
        Shape it returns, without the batch.
    line : int
        Line of the source file where ``forward`` calls it; 0 for the two ends.
    """

    name: str
    label: str
    detail: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    line: int


class _Tracer(fx.Tracer):
    record_stack_traces = True

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not list(m.children())


def walk(block: nn.Module, shape: tuple[int, ...]) -> list[Box]:
    """List the operations of a block in the order in which its ``forward`` runs them.

    Parameters
    ----------
    block : nn.Module
        Any module whose ``forward`` takes one tensor; parameters may be on any device and stay untouched.
    shape : tuple of int
        Shape of one input without the batch, ``(C, H, W)``.

    Returns
    -------
    list of Box
        The first is the input, the last the output; ``nn.Identity`` does nothing and is left out.

    Raises
    ------
    ValueError
        If ``forward`` cannot be traced or does not accept that shape.
    """
    try:
        module = copy.deepcopy(block).to("meta")
        tracer = _Tracer()
        tracer.record_stack_traces = True  # the base class's constructor switches it off
        graph = tracer.trace(module)
        ShapeProp(fx.GraphModule(module, graph)).propagate(torch.empty(2, *shape, device="meta"))
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"cannot walk {type(block).__name__} with an input of shape {shape}: {reason}") from error
    source = type(block).forward.__code__.co_filename
    return [_box(node, module, source) for node in graph.nodes if not _is_identity(node, module)]


def _is_identity(node: fx.Node, module: nn.Module) -> bool:
    return node.op == "call_module" and isinstance(module.get_submodule(str(node.target)), nn.Identity)


def _box(node: fx.Node, module: nn.Module, source: str) -> Box:
    inputs = list(node.all_input_nodes)
    for i, reads in enumerate(inputs):  # whoever reads from an identity reads from what the identity reads
        while _is_identity(reads, module):
            reads = inputs[i] = reads.all_input_nodes[0]
    meta = node.meta.get("tensor_meta")
    label, detail = _label(node, module)
    lines = re.findall(rf'File "{re.escape(source)}", line (\d+), in forward', node.stack_trace or "")
    return Box(
        name=node.name,
        label=label,
        detail=detail,
        inputs=tuple(reads.name for reads in inputs),
        shape=tuple(meta.shape[1:]) if meta else (),
        line=int(lines[-1]) if lines else 0,
    )


def _label(node: fx.Node, module: nn.Module) -> tuple[str, str]:
    if node.op in ("placeholder", "output"):
        return {"placeholder": "in", "output": "out"}[node.op], ""
    if node.op == "call_module":
        return _layer_label(module.get_submodule(str(node.target)))
    sums, rectifiers = (operator.add, operator.iadd, torch.add), (F.relu, torch.relu, "relu")
    known = dict.fromkeys(sums, "+") | dict.fromkeys(rectifiers, "ReLU") | {"mean": "average"}
    if node.target in known:
        return known[node.target], ""
    name = node.target if isinstance(node.target, str) else node.name.rstrip("_0123456789")
    if name == "max_pool2d":
        padding = f", pad {node.kwargs['padding']}" if node.kwargs["padding"] else ""
        return f"{node.args[1]}×{node.args[1]} max-pool", f"/{node.kwargs['stride']}{padding}"
    if name == "pad":
        sides: Any = node.args[1]
        return "zeros around", f"{sides[0]} wide"
    return name, ""


def _layer_label(layer: nn.Module) -> tuple[str, str]:
    if isinstance(layer, nn.Conv2d):
        kind = "std. conv" if isinstance(layer, StdConv2d) else "conv"
        stride = f" /{layer.stride[0]}" if layer.stride[0] != 1 else ""
        return f"{layer.kernel_size[0]}×{layer.kernel_size[1]} {kind}", f"{layer.out_channels}{stride}"
    names = {nn.BatchNorm2d: "batch norm", nn.GroupNorm: "group norm", nn.ReLU: "ReLU"}
    return names.get(type(layer), type(layer).__name__), ""


def trunk(boxes: list[Box]) -> list[str]:
    """Name the boxes on the shortest way from the input to the output: whatever stands on the shortcut."""
    ways: dict[str, list[str]] = {}
    for box in boxes:
        ways[box.name] = [*min((ways[name] for name in box.inputs), key=len, default=[]), box.name]
    return ways[boxes[-1].name]


def differences(left: list[Box], right: list[Box]) -> tuple[set[str], set[str]]:
    """Compare two blocks along their trunks and along their branches.

    Returns the names of the boxes of ``left`` that have no counterpart in ``right``, and of the boxes of ``right``
    that are new or changed.
    """
    gone: set[str] = set()
    new: set[str] = set()
    for on_trunk in (True, False):
        a, b = ([box for box in side if (box.name in trunk(side)) == on_trunk] for side in (left, right))
        texts = [[(box.label, box.detail) for box in side] for side in (a, b)]
        matcher = difflib.SequenceMatcher(None, texts[0], texts[1], autojunk=False)
        for tag, a0, a1, b0, b1 in matcher.get_opcodes():
            if tag != "equal":
                new |= {box.name for box in b[b0:b1]}
            if a1 - a0 > b1 - b0:
                gone |= {box.name for box in a[a0:a1]}
    return gone, new


def _places(boxes: list[Box]) -> dict[str, tuple[float, float]]:
    """Put the trunk in the left column, everything else in the right one, each box below all that it reads from."""
    row: dict[str, int] = {}
    for box in boxes:
        row[box.name] = 1 + max((row[name] for name in box.inputs), default=-1)
    main = trunk(boxes)
    return {name: (0.0 if name in main else _COLUMN, -float(depth)) for name, depth in row.items()}


def draw_block(ax: Axes, boxes: list[Box], new: Set[str] = frozenset(), gone: Set[str] = frozenset()) -> None:
    """Draw walked boxes into ``ax``: solid orange outlines for those in ``new``, dashed ones for those in ``gone``."""
    places, main = _places(boxes), trunk(boxes)
    for box in boxes:
        for name in box.inputs:
            _arrow(ax, places[name], places[box.name], name in main and box.name in main)
    for box in boxes:
        _draw_box(ax, box, places[box.name], box.name in new, box.name in gone)
    ax.set_xlim(-_WIDTH / 2 - 0.03, max(x for x, _ in places.values()) + _WIDTH / 2 + 0.03)
    ax.set_ylim(min(y for _, y in places.values()) - 0.4, 0.4)
    ax.axis("off")


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], on_trunk: bool) -> None:
    (x0, y0), (x1, y1) = start, end
    path = [(x0, y0), (x1, y1)]
    if x0 != x1:  # leave the trunk sideways, come back to it sideways
        path.insert(1, (x1, y0) if x1 > x0 else (x0, y1))
    look: dict[str, Any] = {
        "color": style.COLOURS["blue"] if on_trunk else style.ink(),
        "linewidth": 2.6 if on_trunk else 1.2,
    }
    ax.plot(*zip(*path, strict=True), zorder=1, **look)
    (xa, ya), (xb, yb) = path[-2:]
    tip = (xb, yb + _HEIGHT / 2) if xa == xb else (xb + _WIDTH / 2, yb)
    tail = (tip[0] + 0.01 * (xa - xb), tip[1] + 0.01 * (ya - yb))
    ax.annotate("", tip, tail, arrowprops={"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, **look}, zorder=2)


def _draw_box(ax: Axes, box: Box, place: tuple[float, float], new: bool, gone: bool) -> None:
    x, y = place
    centered: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": style.by_width(9.5, 8.5), "zorder": 4}
    if box.label in ("in", "out"):
        ax.text(x, y, "×".join(map(str, box.shape)), backgroundcolor=style.ink("paper"), **centered)
        return
    ax.add_patch(
        FancyBboxPatch(
            (x - _WIDTH / 2 + 0.06, y - _HEIGHT / 2 + 0.06),
            _WIDTH - 0.12,
            _HEIGHT - 0.12,
            boxstyle="round,pad=0.06",
            facecolor=style.ink("wash"),
            edgecolor=style.COLOURS["orange" if new or gone else "grey"],
            linewidth=2.4 if new else 1.6 if gone else 0.8,
            linestyle=(0, (3, 2)) if gone and not new else "-",
            zorder=3,
        )
    )
    below = "  ".join(filter(None, [box.detail, f":{box.line}" if box.line else ""]))
    if style.by_width(False, True):
        ax.text(x, y, f"{box.label}  {box.detail}".strip(), **centered)
        return
    ax.text(x, y + 0.16, box.label, **centered)
    ax.text(x, y - 0.19, below, color=style.COLOURS["grey"], **(centered | {"fontsize": 9}))


def block_diagram(blocks: Mapping[str, nn.Module], shape: tuple[int, int, int], finding: str = "") -> Figure:
    """Draw blocks side by side, each compared with its left neighbour.

    Parameters
    ----------
    blocks : mapping of str to nn.Module
        Title and block, from left to right.
    shape : tuple of int
        Shape ``(C, H, W)`` of one input to every block.
    finding : str
        What the diagram shows, in words above it.

    Returns
    -------
    Figure
        Blue: the way around the branch. Solid orange outlines: new or changed against the diagram before. Dashed
        ones: without counterpart in the next. A number after a colon is a line of the source file.
    """
    walked = {title: walk(block, shape) for title, block in blocks.items()}
    rows = 1 - min(y for boxes in walked.values() for _, y in _places(boxes).values())
    new: dict[str, set[str]] = {title: set() for title in walked}
    gone: dict[str, set[str]] = {title: set() for title in walked}
    for left, right in pairwise(walked):
        gone[left], new[right] = differences(walked[left], walked[right])
    # Narrow, a box has one line of words, without the line of source; blocks with a shortcut stand below one another.
    beside = 1 if any(x for boxes in walked.values() for x, _ in _places(boxes).values()) else len(walked)
    narrow = ((0.26 * rows + 0.35) * len(walked) / beside, beside)
    fig, axes = style.new(2.35 * len(walked), 0.46 * rows + 0.3, 1, len(walked), narrow, squeeze=False)
    if finding:
        style.headline(fig, finding)
    for ax, (title, boxes) in zip(axes[0], walked.items(), strict=True):
        draw_block(ax, boxes, new[title], gone[title])
        ax.set_ylim(0.6 - rows, 0.4)
        ax.set_title(title, loc="center")
    return fig
