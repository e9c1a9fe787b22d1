"""The commands whose results the report on evaluation is made from. Only data."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from .harness import RESULTS

EVALUATION = RESULTS / "evaluation"
"""Where the results lie."""
DATA = {
    "val": "kept-out photographs",
    "mixed": "drawn scenes",
    "crowd": "scenes of hundreds of small objects",
}
"""What the kinds of data are called in the report."""
SCENES = {"mixed": 4, "crowd": 2}
"""How many scenes of each kind are drawn."""


@dataclass(frozen=True)
class Step:
    """One result file.

    Args:
        name: of the file, without ".json".
        command: a module and its arguments, without the data and the output.
        data: what it measures: "val", or a kind of drawn scenes.
        pictures: at most so many.
        leave_out: settings of a preset that would take too long: those whose names hold one of these texts.
    """

    name: str
    command: str
    data: str
    pictures: int
    leave_out: tuple[str, ...] = ()

    def shown(self, pictures: int, leave_out: Sequence[str] = ()) -> str:
        """The command as people type it, with names for the folders."""
        data = "--data DATA --split val" if self.data == "val" else f"--data SCENES/{self.data}"
        left = " --leave-out " + " ".join(map(shlex.quote, leave_out)) if leave_out else ""
        return f"python -m {self.command} {data} --limit {pictures}{left}"


STEPS = (
    Step("samplers-val", "benchmarks.experiments samplers", "val", 8),
    Step("samplers-mixed", "benchmarks.experiments samplers", "mixed", 2),
    Step("samplers-crowd", "benchmarks.experiments samplers", "crowd", 2),
    Step("tables-2-4", "mobilesamv2 evaluate --preset table2 table4", "val", 1),
    Step("tables-3-5-7", "mobilesamv2 evaluate --preset table3 table5 table7", "val", 3, ("grid 64 x 64",)),
    Step("table-7-crowd", "mobilesamv2 evaluate --preset table7", "crowd", 2),
    Step("detectors-val", "benchmarks.experiments detectors", "val", 8),
    Step("objects-val", "benchmarks.experiments objects", "val", 10),
    Step("objects-mixed", "benchmarks.experiments objects", "mixed", 4),
    Step("objects-crowd", "benchmarks.experiments objects", "crowd", 2),
)
SCENE_COMMANDS = tuple(
    f"python -m benchmarks.scenes SCENES/{kind} --kind {kind} --pictures {pictures}"
    for kind, pictures in SCENES.items()
)
