"""Which photographs the arguments of a command mean, and a folder name of its own for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import sentence_of

RESULT_NAME = "masks.json"
"""What lies in a folder of results; a folder within a searched one that has it is not searched."""


@dataclass(frozen=True)
class Photo:
    """A photograph to be segmented.

    Args:
        path: of its file.
        name: of the folder its results go to: one that every system takes, of each photograph another.
        file_name: what results call it, of each photograph another: its path within the folder that was searched, in
            "/" notation; the name of a file that was given itself; the whole path where two would be called the same.
    """

    path: Path
    name: str
    file_name: str


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
    paths: dict[Path, tuple[Path, str]] = {}
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
            is_within = path != argument
            called = path.relative_to(argument).as_posix() if is_within else path.name
            paths.setdefault(path.resolve(), (path, called))
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
        if any(_holds_results(around) for around in path.parents if folder in around.parents):
            continue
        yield path


def _holds_results(folder: Path) -> bool:
    """Whether a folder was written by an earlier run: results of a photograph, or pictures of a panoptic data set."""
    is_panoptic = folder.name == "panoptic" and folder.with_name("panoptic.json").exists()
    return is_panoptic or (folder / RESULT_NAME).exists()


def _named(found: Iterable[tuple[Path, str]]) -> Iterator[Photo]:
    """Name each folder after its file; of equal names the second gets "-2", the third "-3"."""
    from ..export import DATASET_NAMES, SUMMARY_NAME, numbered, safe_name

    found = list(found)
    times = Counter(called for _, called in found)
    # What lies beside the folders.
    names = numbered((safe_name(path.name) for path, _ in found), taken=(SUMMARY_NAME, *DATASET_NAMES))
    for (path, called), name in zip(found, names, strict=True):
        yield Photo(path=path, name=name, file_name=called if times[called] == 1 else path.as_posix())
