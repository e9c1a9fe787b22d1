"""Sentences of the whole page: its head and foot, steps, problems. Knows nothing of components."""

from __future__ import annotations

from html import escape

from ...formatting import data_size, number
from ...sampler_kinds import SAMPLERS
from ..settings import LICENCE_URL, PAPER_URL

TITLE = "MobileSAMv2"
TAGLINE = "Segment everything in a photo: ask about objects, not about every point."
NO_PHOTO = "There is no photo yet: drop one, paste one or choose an example."
UNEXPECTED = "Something went wrong on our side. Try again, or another photo; the details are in the log."
NO_MEMORY = "There is not enough memory for this just now. Try again later, or with a smaller photo."
NO_ROOM = "The disk of this machine is full, so no file could be made. Whoever runs the page has to make room."
NO_PROXY = "This server hands out its own files, and fetches none from others."
CLOSED = "This page is being stopped. Try again in a while."
NO_UPLOAD = "An upload is a form with files, each with a name."
PHOTO_GONE = "This photo is no longer kept here: uploads are removed after a while. Choose it again."
NOT_THERE = "There is nothing of that name here; gradio_api/info lists the endpoints."
PHOTO_PLACEHOLDER = "Drop a photo here, paste one,\nor click to choose"
SAMPLER_CHOICES = tuple((kind.title, name) for name, kind in SAMPLERS.items())
"""Of menus."""
LINK_BUTTON = "Link to these settings"
STAGE_NAMES = {
    "preprocess": "prepare",
    "encode": "encode",
    "discover": "find objects",
    "decode": "decode",
    "filter": "filter",
    "postprocess": "finish",
}
_STEP_SENTENCES = {
    "fetch": "Fetching the model",
    "wait": "Waiting for another run",
    "read": "Reading the photo",
    "load": "Loading the model",
    "preprocess": "Preparing the photo",
    "encode": "Encoding the photo",
    "discover": "Choosing what to ask",
    "decode": "Decoding masks",
    "filter": "Filtering masks",
    "postprocess": "Finishing masks",
    "draw": "Drawing the result",
    "pack": "Packing files",
}
CANCELLED = "Cancelled."
SHARED = (
    "Warning: --share gives this page a public address. Whoever has the address can use the page and this machine's "
    "processor until you stop it; there is no password. Photos and results pass through servers of Gradio's makers. "
    "To stop it, press Ctrl-C."
)


def masthead() -> str:
    return f"<h1>{TITLE}</h1><p>{TAGLINE}</p>"


def running_on(device: str) -> str:
    """Where the model named beside it runs: in the head of the page."""
    return f"<p>on <strong>{escape(device)}</strong></p>"


def colophon(source_url: str) -> str:
    """What the page is made of, at its foot."""
    links = (("Source code", source_url), ("Paper", PAPER_URL), ("AGPL-3.0-or-later", LICENCE_URL))
    return (
        '<nav aria-label="About this page">'
        + "".join(f'<a href="{escape(url)}" target="_blank" rel="noopener">{escape(name)}</a>' for name, url in links)
        + "</nav>"
    )


def idle(sentence: str) -> str:
    return f'<p class="idle">{escape(sentence)}</p>'


def problem(sentence_html: str) -> str:
    return f'<p class="problem" role="alert">{sentence_html}</p>'


def too_slow(seconds: float) -> str:
    return f"This took longer than {seconds:g} seconds and was stopped. Ask for fewer prompts or choose a faster model."


def step(stage: str, done: int, total: int) -> str:
    """A bar and a sentence: what the model is at. Without a total the bar only says that it works."""
    sentence = _STEP_SENTENCES.get(stage, stage)
    if stage == "fetch" and done:
        amount = f", {data_size(done)}" + (f" of {data_size(total)}" if total else "")
        share = f' value="{done}" max="{total}"' if total else ""
    elif total > 1:
        share, amount = f' value="{done}" max="{total}"', f" {number(done)} of {number(total)}"
    else:
        share, amount = "", ""
    return (
        f'<div class="working" role="status"><p>{escape(sentence)}{amount}</p>'
        f'<progress aria-label="{escape(sentence)}"{share}></progress></div>'
    )
