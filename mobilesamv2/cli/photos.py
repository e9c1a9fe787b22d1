"""Which photographs the arguments of a command mean, and a folder name of its own for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset(
    (".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
"""What counts as a photograph in a folder. A file that is named itself is tried whatever its name."""


@dataclass(frozen=True)
class Photo:
    """A photograph to be segmented, and the name of the folder its results go to."""

    path: Path
    name: str


def find_photos(
    arguments: Iterable[Path], *, recursive: bool = False, output: Path | None = None
) -> tuple[list[Photo], list[tuple[Path, str]]]:
    """Find the photographs that files and folders stand for, each once.

    Args:
        arguments: files, taken as they are, and folders, searched for photographs in order of their names.
        recursive: search folders within folders too.
        output: a folder that is never searched: results of earlier runs are no photographs.

    Returns:
        The photographs, in order, and the arguments that stand for none with a sentence each.
    """
    paths: dict[Path, Path] = {}
    failures = []
    for argument in arguments:
        if argument.is_dir():
            found = list(_in_folder(argument, recursive=recursive, output=output))
            if not found:
                failures.append((argument, f"The folder {argument} holds no photographs."))
        elif argument.exists():
            found = [argument]
        else:
            found = []
            failures.append((argument, f"There is no file {argument}."))
        for path in found:
            paths.setdefault(path.resolve(), path)
    return list(_named(paths.values())), failures


def _in_folder(folder: Path, *, recursive: bool, output: Path | None) -> Iterator[Path]:
    excluded = None if output is None else output.resolve()
    for path in sorted(folder.rglob("*") if recursive else folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue
        if excluded is None or excluded not in path.resolve().parents:
            yield path


def _named(paths: Iterable[Path]) -> Iterator[Photo]:
    """Name each after its file; of equal names the second gets "-2", the third "-3"."""
    # Compared without case, since many file systems do; summary.json lies beside the folders.
    taken = {"summary.json"}
    for path in paths:
        stem = path.stem.strip(". ") or "photo"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        yield Photo(path=path, name=name)
