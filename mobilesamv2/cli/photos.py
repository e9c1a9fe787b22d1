"""Which photographs the arguments of a command mean, and a folder name of its own for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import sentence_of

RESULT_NAME = "masks.json"
"""What lies in a folder of results; a folder within a searched one that has it is not searched."""


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
        output: where results go; what lies there in a folder being searched is no photograph.

    Returns:
        The photographs, in order, and the arguments that stand for none with a sentence each.
    """
    paths: dict[Path, Path] = {}
    failures = []
    for argument in arguments:
        found: list[Path] = []
        try:
            if argument.is_dir():
                found = list(_in_folder(argument, recursive=recursive, output=output))
                if not found:
                    failures.append((argument, f"The folder {argument} holds no photographs."))
            elif argument.exists():
                found = [argument]
            else:
                failures.append((argument, f"There is no file {argument}."))
        except OSError as error:  # a name that is too long, a folder that may not be read
            failures.append((argument, sentence_of(error)))
        for path in found:
            paths.setdefault(path.resolve(), path)
    return list(_named(paths.values())), failures


def _in_folder(folder: Path, *, recursive: bool, output: Path | None) -> Iterator[Path]:
    from ..images import SUFFIXES

    results = None if output is None else output.resolve()
    # Results beside or above the photographs do not make them results.
    apart = results is not None and results != folder.resolve() and results not in folder.resolve().parents
    for path in sorted(folder.rglob("*") if recursive else folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue
        if apart and results in path.resolve().parents:
            continue
        if path.parent != folder and (path.parent / RESULT_NAME).exists():
            continue
        yield path


def _named(paths: Iterable[Path]) -> Iterator[Photo]:
    """Name each after its file; of equal names the second gets "-2", the third "-3"."""
    from ..export.names import numbered

    paths = list(paths)
    stems = [path.stem.strip(". ") or "photo" for path in paths]
    # summary.json lies beside the folders.
    for path, name in zip(paths, numbered(stems, taken={"summary.json"}), strict=True):
        yield Photo(path=path, name=name)
