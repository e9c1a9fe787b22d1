"""`mobilesamv2 export`: a model and its detector as ONNX files that run anywhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import Commands, given_weights


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "export",
        help="a model and its object detector as ONNX files",
        description="Writes encoder.onnx, decoder.onnx and detector.onnx, and model.json, which says what they take "
        'and give. Needs the extra: `pip install -e ".[onnx]"`.',
    )
    parser.add_argument("name", metavar="NAME", help="a model; or a detector, by its name or checkpoint file")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the folder to write to")
    parser.add_argument("--weights", metavar="FILE", help="a checkpoint of that model on this machine")
    parser.add_argument(
        "--decoder-weights",
        metavar="FILE",
        help="its decoder's checkpoint, where --weights is the image encoder's alone",
    )
    parser.add_argument("--detector", metavar="NAME", help="another detector: a name or a checkpoint file")
    parser.add_argument("--no-detector", action="store_true", help="the model alone")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the files; see `add_parser`."""
    from ..onnx.writing import DESCRIPTION, export_onnx

    folder: Path = options.output
    described = export_onnx(
        options.name,
        folder,
        weights=given_weights(options),
        detector=options.detector,
        with_detector=not options.no_detector,
    )
    graphs = [described[part] for part in ("segmenter", "detector") if part in described]
    for graph in (part for group in graphs for part in group.values() if isinstance(part, dict)):
        size = (folder / graph["file"]).stat().st_size / 1e6
        print(f"{folder / graph['file']}: {size:.1f} MB, {_said(graph['inputs'])} to {_said(graph['outputs'])}")
    print(folder / DESCRIPTION)
    return 0


def _said(shapes: dict[str, list[int | str]]) -> str:
    return ", ".join(f"{name} ({' x '.join(map(str, shape))})" for name, shape in shapes.items())
