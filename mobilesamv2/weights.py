"""Finds checkpoint files, verifies them, reads them without running their code, and loads them whole.

The only file that knows the hub. Which file belongs to which model is the zoo's knowledge.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from .errors import WeightsError, WeightsUnreachableError
from .zoo import DEFAULT_MODEL, WeightsFile

FOLDER_VARIABLE = "MOBILESAMV2_WEIGHTS_DIR"
"""Environment variable that names a folder to look for checkpoints in before anywhere else."""
OFFLINE_VARIABLES = ("MOBILESAMV2_OFFLINE", "HF_HUB_OFFLINE")
"""Environment variables that forbid the network when set to 1, true, yes or on."""
CONNECT_SECONDS = 5.0
"""How long the hub may take to say that it is there."""


def folders() -> tuple[Path, ...]:
    """Where checkpoints lie on this machine, in the order they are looked for."""
    package = Path(__file__).resolve().parent
    named = os.environ.get(FOLDER_VARIABLE)
    # An installed wheel carries `embedded`; a checkout has the same files in `weights` beside the package.
    embedded = (package / "embedded", package.parent / "weights")
    return (Path(named).expanduser(), *embedded) if named else embedded


def find(file: WeightsFile, *, offline: bool | None = None) -> Path:
    """Give the path of a verified checkpoint, fetching it from the hub if it is nowhere on this machine.

    Looks in `folders()`, then in the hub's cache, then downloads to that cache with a progress bar on stderr.
    The hub at `HF_ENDPOINT` is used where that is set.

    Args:
        file: which one.
        offline: never use the network; None lets `OFFLINE_VARIABLES` decide.

    Raises:
        WeightsUnreachableError: if it is not on this machine and the hub does not give it.
        WeightsError: if an embedded file is missing, or a file is not the one the zoo knows.
    """
    name = Path(file.filename).name
    for folder in folders():
        if (folder / name).is_file():
            verify(folder / name, file)
            return folder / name
    if file.repo is None:
        raise WeightsError(
            f"{name} should have come with the package, but is in none of "
            f"{', '.join(str(folder) for folder in folders())}; install the package again."
        )
    path = _cached(file)
    if path is None:
        if _offline() if offline is None else offline:
            raise WeightsUnreachableError(
                f"{name} is not on this machine and the network is switched off; allow it "
                f"(unset {' and '.join(OFFLINE_VARIABLES)}), or use {_without_network()}."
            )
        path = _download(file)
    verify(path, file)
    return path


def verify(path: Path, file: WeightsFile) -> None:
    """Compare a file's size and SHA-256 with those the zoo knows.

    Raises:
        WeightsError: if they differ, saying what to delete.
    """
    cure = f"Delete {path.resolve()} and run again to fetch a fresh copy."
    if file.repo is None:
        cure = "Install the package again, or check the file out anew."
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        raise WeightsError(f"{path.name} has {size:,} bytes, expected {file.bytes:,}. {cure}")
    if file.sha256 is not None:
        digest = _sha256(path)
        if digest != file.sha256:
            raise WeightsError(f"{path.name} has SHA-256 {digest[:8]}…, expected {file.sha256[:8]}…. {cure}")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _without_network() -> str:
    return f'the model "{DEFAULT_MODEL}", which needs no network'


def _offline() -> bool:
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in OFFLINE_VARIABLES)


def _cached(file: WeightsFile) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    assert file.repo is not None  # held by the caller
    path = try_to_load_from_cache(file.repo, file.filename, revision=file.revision)
    return Path(path) if isinstance(path, str) and os.path.isfile(path) else None


def _download(file: WeightsFile) -> Path:
    import huggingface_hub
    from huggingface_hub import errors

    assert file.repo is not None  # held by the caller
    # Read now, not when the hub's package was imported.
    endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    try:
        # Ask once with a short timeout: without a network the download itself would try for half a minute.
        address = huggingface_hub.hf_hub_url(
            file.repo, file.filename, revision=file.revision, endpoint=endpoint
        )
        huggingface_hub.get_hf_file_metadata(address, timeout=CONNECT_SECONDS, endpoint=endpoint)
        return Path(
            huggingface_hub.hf_hub_download(
                file.repo,
                file.filename,
                revision=file.revision,
                endpoint=endpoint,
                etag_timeout=CONNECT_SECONDS,
            )
        )
    except errors.HfHubHTTPError as error:
        raise WeightsUnreachableError(_refused(file, endpoint, error.response.status_code)) from error
    except _transport_errors() as error:
        raise WeightsUnreachableError(
            f"{file.filename} could not be fetched from {endpoint} ({_first_line(error)}); connect to the "
            f"network and run again, give the path of a copy as `weights`, or use {_without_network()}."
        ) from error


def _refused(file: WeightsFile, endpoint: str, status: int) -> str:
    where = f"{file.filename} of {file.repo} at {endpoint}"
    if status in (401, 403):
        return (
            f"{where} may not be read without permission (HTTP {status}); log in with `hf auth login`, give "
            f"the path of a copy as `weights`, or use {_without_network()}."
        )
    if status == 404:
        return (
            f"{where} does not exist (HTTP 404); it may have been moved: give the path of a copy as "
            f"`weights`, or use {_without_network()}."
        )
    return f"{where} could not be fetched (HTTP {status}); try again later, or use {_without_network()}."


def _transport_errors() -> tuple[type[Exception], ...]:
    """What the hub's client raises when a connection fails; it has changed its HTTP package over time."""
    from huggingface_hub import errors

    http_error: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    return (http_error, errors.XetDownloadError, OSError)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint to the CPU; nothing in it can run code.

    `.safetensors` files are read as such, anything else as a PyTorch checkpoint restricted to tensors and
    plain containers. A state dict may be wrapped as `model` or `state_dict`.

    Raises:
        WeightsError: if the file is missing, damaged, holds more than tensors, or no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"There is no file {path}; give the path of a checkpoint.")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pytorch(path)
    for wrapper in ("model", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    ):
        raise WeightsError(f"{path} holds no state dict: a table of named tensors was expected.")
    return dict(content)


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        tensors: Mapping[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no safetensors file, or is damaged: {_first_line(error)}.") from error
    return tensors


def _read_pytorch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        # Torch's own sentence tells people to switch the protection off, so it is not passed on.
        raise WeightsError(
            f"{path} is no plain checkpoint: it is damaged, or holds something other than tensors, which "
            "could run code when it is read. Only plain state dicts and safetensors are read."
        ) from error
    except (
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        AssertionError,
        struct.error,
        zipfile.BadZipFile,
    ) as error:
        raise WeightsError(f"{path} is no PyTorch checkpoint, or is damaged.") from error


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Copy a state dict into a module, all of it or nothing.

    Args:
        module: what takes it; keeps its device and number format.
        state: its tensors by name; names may all begin with `module.`, as distributed training leaves them.
            The counters of batch norms, which nothing reads, may be missing.
        source: where it came from, for the error.

    Raises:
        WeightsError: if a tensor is missing, left over or of another shape, naming the first few.
    """
    if state and all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    own = module.state_dict()
    missing = [key for key in own if key not in state and not key.endswith(".num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    reshaped = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(value.shape)}"
        for key, value in own.items()
        if key in state and state[key].shape != value.shape
    ]
    parts = [("missing", missing), ("left over", unexpected), ("of another shape", reshaped)]
    problems = [f"{len(keys)} tensors {what} ({_few(keys)})" for what, keys in parts if keys]
    if problems:
        raise WeightsError(
            f"{source} was made for another architecture: {'; '.join(problems)}. Name the model it is for."
        )
    module.load_state_dict({**own, **state})


def _few(names: Iterable[str], *, shown: int = 3) -> str:
    names = list(names)
    return ", ".join(names[:shown]) + (", …" if len(names) > shown else "")
