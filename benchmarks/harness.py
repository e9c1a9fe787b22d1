"""What the benchmarks share: two things timed in turns, what machine it was, a table and a JSON file.

On a shared machine seconds drift; so whatever is compared runs alternately, A B A B, and what counts is the median of
the ratios of neighbours.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from mobilesamv2.build import choose_dtype
from mobilesamv2.zoo import find_model

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "ultralytics", "numpy", "pycocotools")


@dataclass(frozen=True)
class Paired:
    """Seconds of two things that ran in turns, run by run."""

    first: tuple[float, ...]
    second: tuple[float, ...]

    @property
    def first_seconds(self) -> float:
        """Median of the first."""
        return statistics.median(self.first)

    @property
    def second_seconds(self) -> float:
        """Median of the second."""
        return statistics.median(self.second)

    @property
    def ratio(self) -> float:
        """How many times longer the second takes: the median over neighbours."""
        return statistics.median(b / a for a, b in zip(self.first, self.second, strict=True))


def seconds_of(action: Callable[[], object], *, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of one run, by default on the wall clock; of a GPU too, whose work ends later than the call."""
    _wait_for_gpu()
    start = clock()
    action()
    _wait_for_gpu()
    return clock() - start


def _wait_for_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def paired(
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Paired:
    """Run two things in turns, `warm_up` times before anything counts."""
    for _ in range(warm_up):
        first()
        second()
    times = [(seconds_of(first, clock=clock), seconds_of(second, clock=clock)) for _ in range(rounds)]
    return Paired(first=tuple(a for a, _ in times), second=tuple(b for _, b in times))


def multiply_adds_per_second(*, size: int = 2048, rounds: int = 8) -> float:
    """The machine's rate: the best product of two float32 matrices, by the faster of the libraries at hand."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    products: list[Callable[[], object]] = [lambda: a @ b]
    if hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        products.append(lambda: torch.ops.mkldnn._linear_pointwise.default(a, b, None, "none", [], ""))
    with torch.inference_mode():
        best = min(seconds_of(product) for product in products for _ in range(rounds))
    return size**3 / best


def machine() -> dict[str, str | int]:
    """Processor, cores, GPU and versions."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [line.split(":", 1)[1] for line in information.read_text().splitlines() if "model name" in line]
        model = names[0].strip() if names else model
    return {
        "processor": model,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def report(name: str, rows: Sequence[Mapping[str, object]], *, into: Path | None = None, **more: object) -> None:
    """Write rows with the machine to a JSON file, and print them as a table in Markdown.

    Args:
        name: of the benchmark.
        rows: one for each line of the table; all have the keys of the first, which are its heads.
        into: the file; None: none.
        more: written to the file too.
    """
    described = machine()
    if into is not None:  # before anything is printed: a pipe may be closed early
        into.parent.mkdir(parents=True, exist_ok=True)
        written = {"benchmark": name, "machine": described, "rows": list(rows), **more}
        into.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    print(table(rows))
    print(f"\n{', '.join(f'{key} {value}' for key, value in described.items())}")
    if into is not None:
        print(f"written to {into}")


def number_formats(model: str) -> list[torch.dtype]:
    """float32, and what a model of the zoo runs in on this processor by itself, if that is another format."""
    usual = choose_dtype(torch.device("cpu"), bfloat16_on_cpu=find_model(model).bfloat16_on_cpu)
    return [torch.float32] if usual == torch.float32 else [torch.float32, usual]


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as a table in Markdown; all have the keys of the first, which are its heads."""
    heads = list(rows[0])
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(_cell(row[head]) for head in heads)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.2e}" if 0 < abs(value) < 1e-3 else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def parser_of(description: str, name: str, *, rounds: int = 5) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds, help="counted runs of each")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of a CPU")
    parser.add_argument("--into", type=Path, default=RESULTS / f"{name}.json", help="where to write the result")
    return parser
