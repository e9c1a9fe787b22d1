"""`mobilesamv2 serve`: the page, on this machine."""

from __future__ import annotations

import argparse
import dataclasses
import sys

from .options import Commands, port


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "serve",
        help="serve the page",
        description="Serves the page until Ctrl-C. GRADIO_SERVER_NAME and GRADIO_SERVER_PORT set the address "
        "too; the options win.",
    )
    parser.add_argument("--host", help="address to listen on (127.0.0.1: this machine only)")
    parser.add_argument("--port", type=port, help="port (the first free one from 7860)")
    parser.add_argument(
        "--share",
        action="store_true",
        help="also make a public address: anybody who has it can use this page and this machine",
    )
    parser.add_argument("--model", metavar="NAME", help="the model that is chosen at first")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve the page; see `add_parser`."""
    from .. import zoo
    from ..web.settings import Settings
    from ..web.text import page as text

    settings = Settings.from_environment()
    from ..web.layout import serve  # Gradio reads the environment when it is imported

    if options.model is not None:
        settings = dataclasses.replace(settings, model=zoo.find_model(options.model).name)
    if options.share:
        print(text.SHARED, file=sys.stderr)
    serve(settings, host=options.host, port=options.port, share=options.share)
    return 0
