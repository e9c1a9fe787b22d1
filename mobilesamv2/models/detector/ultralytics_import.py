"""Imports Ultralytics without what it does to the rest of the program."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import sys
import tempfile
import threading
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import _tensor_str

from ...warning_filters import without_new_filters

_REPLACED_FUNCTIONS = (
    (Image, "open"),
    (torch, "load"),
    (torch, "save"),
    (cv2, "imread"),
    (cv2, "imwrite"),
    (cv2, "imshow"),
)
"""What Ultralytics puts functions of its own in place of when it is imported."""


_lock = threading.Lock()


def ultralytics_module(name: str) -> Any:
    """Import a module of Ultralytics without its side effects; one thread at a time.

    By default it installs packages, goes online, sends telemetry, logs and writes settings into the user's
    home; and it sets threads, print options, warning filters and environment variables, and replaces functions of
    other packages, for everybody.
    """
    with _lock:  # else a second thread would take replaced functions for the originals, or half an import for all
        return sys.modules.get(name) or _imported(name)


def _imported(name: str) -> Any:
    if "YOLO_CONFIG_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="mobilesamv2-ultralytics-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["YOLO_CONFIG_DIR"] = folder
    os.environ.update(YOLO_AUTOINSTALL="false", YOLO_OFFLINE="true", YOLO_VERBOSE="false")
    environment, threads = set(os.environ), cv2.getNumThreads()
    torch_options = _tensor_str.get_printoptions()
    replaced = [(owner, function, getattr(owner, function)) for owner, function in _REPLACED_FUNCTIONS]
    try:
        with without_new_filters(), np.printoptions():
            module = importlib.import_module(name)
    finally:
        for variable in set(os.environ) - environment:
            del os.environ[variable]
        for owner, function, original in replaced:
            setattr(owner, function, original)
        cv2.setNumThreads(threads)
        torch.set_printoptions(**torch_options)
    importlib.import_module("ultralytics.utils").SETTINGS["sync"] = False
    return module
