"""Reader of a detector's checkpoint in any form: its network and its tensors."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import WeightsError
from ..models.detector.config import DetectorConfig
from ..models.detector.layers import parse_layers
from .detector_pickle import is_pickled_ultralytics, read_pickle
from .detector_state import config_from_layers, config_from_state, head_facts, plain_state
from .file_guard import refuse_other_files


def read_detector(
    path: str | Path, *, read_state_dict: Callable[[Path], Mapping[str, Tensor]]
) -> tuple[DetectorConfig, dict[str, Tensor]]:
    """Read the checkpoint of a detector; nothing in it can run code.

    Full pickles of Ultralytics (ObjectAwareModel, FastSAM, YOLO and what people train) say themselves which network
    they hold. Safetensors do if they were written with `DetectorConfig.to_metadata`. For other state dicts the
    network is told from the names and shapes, among those that Ultralytics describes.

    Args:
        path: the file.
        read_state_dict: reads a file that holds tensors alone, safely.

    Returns:
        The network, and its tensors as `build_detector_module` names them, as they are stored.

    Raises:
        WeightsError: if the file is missing, damaged or could run code, or is not a detector's.
    """
    path = Path(path)
    if not os.path.isfile(path):
        raise WeightsError(f"There is no file {path}; give the path of a checkpoint.")
    refuse_other_files(path)
    try:
        if is_pickled_ultralytics(path):
            pickled = read_pickle(path)
            layers = None if pickled.description is None else parse_layers(pickled.description)
            state = plain_state(pickled.state)
            config = config_from_state(state) if layers is None else config_from_layers(layers, state)
            if pickled.input_side is not None:
                config = dataclasses.replace(config, input_side=pickled.input_side)
            return config, state
        state = plain_state(read_state_dict(path))
        written = DetectorConfig.from_metadata(_metadata(path))
        if written is None:
            return config_from_state(state), state
        # The head's shapes are taken from the tensors, whatever the metadata say.
        of_network = {name: getattr(written, name) for name in ("family", "scale", "layers", "input_side")}
        return dataclasses.replace(head_facts(state), **of_network), state
    except ValueError as error:
        raise WeightsError(
            f"{path} is no detector that can be used here: {error}. Detection and segmentation networks of "
            "Ultralytics can."
        ) from error


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError):
        return {}
