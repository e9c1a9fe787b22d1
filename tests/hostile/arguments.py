"""Arguments of `mobilesamv2 segment` that make no sense or mean harm."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .pictures import photo, png_of, saved


@dataclass(frozen=True)
class Arguments:
    """One command line.

    Args:
        what: what is odd about it, for the table.
        given: the arguments, in a folder that holds what `prepare` puts there.
    """

    what: str
    given: Callable[[Path], list[str]]


def prepare(folder: Path) -> None:
    """A photo, links to it and to themselves, a pipe that nobody writes to, an empty folder, a file of another kind."""
    (folder / "photo.png").write_bytes(saved(photo(), "PNG"))
    (folder / "link.png").symlink_to(folder / "photo.png")
    (folder / "circle.png").symlink_to(folder / "circle.png")
    (folder / "broken.png").symlink_to(folder / "nothing.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "empty").mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / "notes.txt").write_text("no picture")
    (folder / "large.png").write_bytes(png_of(30_000, 30_000, pixels=False))


def named(what: str, *names: str) -> Arguments:
    """Files by their names."""
    return Arguments(what, lambda folder: [*names, "-o", str(folder / "out")])


def file(what: str, name: str) -> Arguments:
    """A file of the prepared folder."""
    return Arguments(what, lambda folder: [str(folder / name), "-o", str(folder / "out")])


def option(what: str, *options: str) -> Arguments:
    """The photo with options."""
    return Arguments(what, lambda folder: [str(folder / "photo.png"), "-o", str(folder / "out"), *options])


def output(what: str, path: str) -> Arguments:
    """The photo, and where the results are to go: a path from the prepared folder, or an absolute one."""
    return Arguments(what, lambda folder: [str(folder / "photo.png"), "-o", str(folder / path)])


ARGUMENTS = (
    file("symbolic link to a photo", "link.png"),
    file("symbolic link to itself", "circle.png"),
    file("symbolic link to nothing", "broken.png"),
    file("symbolic link to /dev/zero", "zero.png"),
    file("pipe that nobody writes to", "pipe.png"),
    file("empty folder", "empty"),
    file("text file", "notes.txt"),
    file("photo beyond the limit", "large.png"),
    named("/dev/zero", "/dev/zero"),
    named("/dev/null", "/dev/null"),
    named("address", "https://example.org/a.png"),
    named("\"\"", ""),
    named("name of 5000 letters", "a" * 5000),
    named("name of Unicode that is none", "\udcff.png"),
    named("path of 2000 folders", "../" * 2000 + "nothing.png"),
    option("--max-prompts 0", "--max-prompts", "0"),
    option("--max-prompts 1e9", "--max-prompts", "1e9"),
    option("--max-prompts of 5000 digits", "--max-prompts", "9" * 5000),
    option("--points-per-side of 10⁹", "--sampler", "grid", "--points-per-side", "1000000000"),
    option("--sampler grid:999999999", "--sampler", "grid:999999999"),
    option("--sampler grid:-1", "--sampler", "grid:-1"),
    option("--sampler in Chinese", "--sampler", "网格"),
    option("--confidence nan", "--confidence", "nan"),
    option("--confidence inf", "--confidence", "inf"),
    option("--predicted-iou 2", "--predicted-iou", "2"),
    option("--min-area -1", "--min-area", "-1"),
    option("--mask-nms nan", "--mask-nms", "nan"),
    option("--clean of 10¹²", "--clean", "1000000000000"),
    option("--export of a path", "--export", "../coco"),
    option("--export of nothing", "--export", ""),
    option("option that does not exist", "--shell", "id"),
    output("output that is a file", "notes.txt"),
    output("output within a file", "notes.txt/out"),
    output("output on /dev/null", "/dev/null"),
    output("output in /proc", "/proc/out"),
    output("output of 5000 letters", "a" * 5000),
)  # fmt: skip
