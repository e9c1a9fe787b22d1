"""The page as a Hugging Face Space and on any machine: `python app.py`."""

import sys

import spaces  # before torch, so that ZeroGPU can stand in for CUDA

from mobilesamv2.errors import MobileSamError
from mobilesamv2.web.settings import Settings

try:
    settings = Settings.from_environment()
    from mobilesamv2.web.layout import launch, make_demo  # Gradio reads the environment when it is imported

    demo = make_demo(settings, gpu=spaces.GPU)
    if __name__ == "__main__":
        launch(demo, settings)
except MobileSamError as error:
    sys.exit(f"The page cannot start. {error}")
