"""Safety check of a pickled checkpoint: lists the calls that unpickling would make, and runs none of them.

A pickle is a list of instructions: name a thing, call it, set its attributes. Torch's restricted loader refuses names
that nobody allowed, but whatever Ultralytics allows may be called too, and some of its classes fetch and load other
files when they are called. So here the calls are listed first. Nothing is imported, made or called.
"""

from __future__ import annotations

import pickletools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import WeightsError

CALLABLE = frozenset(
    {
        "__builtin__.getattr",
        "__builtin__.set",
        "_codecs.encode",
        "builtins.getattr",
        "builtins.set",
        "collections.OrderedDict",
        "numpy._core.multiarray.scalar",
        "numpy.core.multiarray.scalar",
        "numpy.dtype",
        "pathlib.PosixPath",
        "pathlib.WindowsPath",
        "pathlib._local.PosixPath",
        "pathlib._local.WindowsPath",
        "torch.Size",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch.device",
        "ultralytics.utils.IterableSimpleNamespace",
        "ultralytics.yolo.utils.IterableSimpleNamespace",
    }
)
"""All that the published checkpoints call. `getattr` is what Ultralytics allows under that name, not Python's own."""

ATTRIBUTES = frozenset({"forward", "forward_fuse"})
"""All that the published checkpoints get by `getattr`: folding norms puts methods among a layer's attributes."""

CONSTANTS = re.compile(r"BINFLOAT|BININT[12]?|EMPTY_(DICT|LIST|SET|TUPLE)|LONG1|NEWFALSE|NEWTRUE|NONE|SHORT_BINSTRING")
POPS = {"APPEND": 1, "BUILD": 1, "SETITEM": 2}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Program:
    """What a pickle does.

    Args:
        names: every module and class or function it names, with a dot between.
        calls: those it calls, in order, each with the last of the arguments where that is a text; "?" stands for
            something without a name.
    """

    names: frozenset[str]
    calls: tuple[tuple[str, str], ...]


class _Name(str):
    """The name of a class or function on the stack, where a plain `str` is a text."""

    __slots__ = ()


def read_program(path: Path) -> Program | None:
    """List what a checkpoint that `torch.save` wrote would do; None if the file is none of these, or is damaged."""
    try:
        # The reader of torch.load itself: another one might find another program in the same archive.
        content = torch._C.PyTorchFileReader(str(path)).get_record("data.pkl")
    except (RuntimeError, OSError):
        return None
    return follow(bytes(content))


def follow(content: bytes) -> Program | None:
    """List what a pickle would do; None if it holds what torch's restricted loader does not know either."""
    names: set[str] = set()
    calls: list[tuple[str, str]] = []
    stack: list[Any] = []  # a name, a text, a tuple of such, or None for everything else
    marks: list[list[Any]] = []
    memo: dict[Any, Any] = {}
    try:
        for opcode, argument, _ in pickletools.genops(content):
            name = opcode.name
            if CONSTANTS.fullmatch(name):
                stack.append(None)
            elif name == "BINUNICODE":
                stack.append(argument)
            elif name == "GLOBAL":
                stack.append(_Name(str(argument).replace(" ", ".")))
                names.add(stack[-1])
            elif name in ("BINPUT", "LONG_BINPUT"):
                memo[argument] = stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            elif name in POPS:
                del stack[-POPS[name] :]
            elif name == "MARK":
                marks.append(stack)
                stack = []
            elif name in ("APPENDS", "SETITEMS", "TUPLE"):
                items, stack = stack, marks.pop()
                if name == "TUPLE":
                    stack.append(tuple(items))
            elif name in TUPLES:
                stack[-TUPLES[name] :] = [tuple(stack[-TUPLES[name] :])]
            elif name == "BINPERSID":
                stack[-1] = None
            elif name in ("REDUCE", "NEWOBJ"):
                called, arguments = stack[-2:]
                stack[-2:] = [None]
                last = arguments[-1] if isinstance(arguments, tuple) and arguments else None
                if name == "REDUCE":
                    calls.append((
                        called if isinstance(called, _Name) else "?",
                        last if type(last) is str else "",
                    ))  # fmt: skip
            elif name not in ("PROTO", "STOP") or (name == "PROTO" and argument != 2):
                return None
    except (LookupError, ValueError, TypeError):
        return None
    return Program(names=frozenset(names), calls=tuple(calls))


def refuse_foreign_calls(program: Program, *, source: Path) -> None:
    """Let only those programs pass that do nothing but what published checkpoints do.

    Raises:
        WeightsError: if it calls anything else, or names a class that loads other files, saying which.
    """
    foreign = [name for name in sorted(program.names) if name.startswith("ultralytics.nn.distill_model")]
    for called, last in program.calls:
        if called not in CALLABLE:
            foreign.append("something without a name" if called == "?" else called)
        elif called.endswith("getattr") and last not in ATTRIBUTES:
            foreign.append(f"{called} of {last}")
    if foreign:
        raise WeightsError(
            f'{source} would run "{foreign[0][:80]}" when it is read, which no checkpoint of a detector needs, '
            "so it was not read; get the file from where the model was published."
        )
