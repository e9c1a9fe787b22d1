"""Colours and type of the page: warm paper and petrol ink, in light and in dark. Fonts come with Gradio."""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils import colors, fonts, sizes

# From the lightest to the darkest, 50 to 950
_PETROL_SHADES = "#e9f4f2 #cde7e3 #9fd2cb #6dbab2 #3f9f97 #1c837d #0f6b67 #0d5754 #0d4644 #0c3736 #072423"
_PAPER_SHADES = "#faf8f4 #f3f0e9 #e5e0d5 #cfc8b9 #a39c8d #777165 #57534a #3d3b35 #272724 #1b1c1a #131413"
_PETROL = colors.Color(*_PETROL_SHADES.split(), name="petrol")
_PAPER = colors.Color(*_PAPER_SHADES.split(), name="paper")

_WEIGHTS = (400, 700)
"""Not 600: what Gradio ships as the semibold Plex Sans holds Cyrillic letters only."""

THEME = gr.themes.Base(
    primary_hue=_PETROL,
    secondary_hue=_PETROL,
    neutral_hue=_PAPER,
    radius_size=sizes.radius_sm,
    spacing_size=sizes.spacing_md,
    font=[fonts.LocalFont("IBM Plex Sans", weights=_WEIGHTS), "system-ui", "sans-serif"],
    font_mono=[fonts.LocalFont("IBM Plex Mono", weights=_WEIGHTS), "ui-monospace", "monospace"],
).set(
    body_background_fill="*neutral_50",
    body_background_fill_dark="*neutral_950",
    block_background_fill="white",
    block_background_fill_dark="*neutral_900",
    block_border_width="1px",
    block_border_color="*neutral_200",
    block_border_color_dark="*neutral_800",
    block_shadow="none",
    block_padding="10px 12px",
    layout_gap="10px",
    panel_background_fill="*neutral_100",  # of the area where results appear
    panel_background_fill_dark="*neutral_900",
    color_accent_soft_dark="*primary_900",
    link_text_color="*primary_600",
    link_text_color_dark="*primary_300",
    # The usual greys of hints are too faint to read.
    body_text_color_subdued="*neutral_500",
    body_text_color_subdued_dark="*neutral_400",
    block_info_text_color="*neutral_500",
    block_info_text_color_dark="*neutral_400",
    block_label_text_color="*neutral_600",
    block_label_text_color_dark="*neutral_300",
    block_title_text_color="*neutral_700",
    block_title_text_color_dark="*neutral_200",
    button_secondary_background_fill="*neutral_200",
    button_secondary_background_fill_dark="*neutral_800",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_dark="*primary_400",
    button_primary_background_fill_hover_dark="*primary_300",
    button_primary_text_color="white",
    button_primary_text_color_dark="*neutral_950",
    checkbox_label_gap="6px",
    checkbox_label_padding="6px 7px",
    checkbox_border_color="*neutral_500",
    checkbox_border_color_dark="*neutral_400",
    slider_color="*primary_600",
    slider_color_dark="*primary_400",
)
