"""What phones save may be sent to the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from PIL import Image

from .conftest import FakeApp


@pytest.mark.parametrize("suffix", ["heic", "avif"])
def test_a_photo_of_a_phone_is_taken(fake_app: FakeApp, photo: Path, tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    sent = tmp_path / f"IMG_0001.{suffix}"
    with Image.open(photo) as image:
        image.save(sent)
        size = image.size
    client = Client(fake_app.address, verbose=False, download_files=str(tmp_path), analytics_enabled=False)
    try:
        overlay, summary = client.predict(handle_file(str(sent)), api_name="/segment")
    finally:
        client.close()
    assert summary["masks"] == 12
    with Image.open(overlay) as drawn:
        assert max(drawn.size) == 256
        assert abs(drawn.width / drawn.height - size[0] / size[1]) < 0.02
