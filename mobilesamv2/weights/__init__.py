"""Finds checkpoint files, verifies them, reads them without running their code, and loads them whole.

The only package that knows the hub. Which file belongs to which model is the zoo's knowledge.
"""

from .convert import convert
from .finding import Fetched, fetch, find, show_progress
from .hub import reachable
from .load import load_strictly
from .places import FOLDER_VARIABLE, OFFLINE_VARIABLES, folders, is_here, locate, missing, offline
from .read import expanded, read_state_dict
from .record import forget
from .sam import load_sam
from .verify import expected_sha256, hash_source, sha256_of, verify

__all__ = [
    "FOLDER_VARIABLE",
    "OFFLINE_VARIABLES",
    "Fetched",
    "convert",
    "expanded",
    "expected_sha256",
    "fetch",
    "find",
    "folders",
    "forget",
    "hash_source",
    "is_here",
    "load_sam",
    "load_strictly",
    "locate",
    "missing",
    "offline",
    "reachable",
    "read_state_dict",
    "sha256_of",
    "show_progress",
    "verify",
]
