"""Build a folder that segments photographs in the browser, to be hosted anywhere: no server, nothing is uploaded.

    python examples/browser/build.py -o site        # needs `pip install -e ".[onnx]"` and npm
    python -m http.server -d site                   # http://localhost:8000

The models are exported, and ONNX Runtime Web is taken out of its npm package.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from mobilesamv2.errors import MobileSamError
from mobilesamv2.onnx.writing import export_onnx

RUNTIME = "onnxruntime-web@1.30.0"
RUNTIME_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
PAGE = ("index.html", "page.js", "worker.js", "boxes.js", "pixels.js")


def main() -> int:
    parser = argparse.ArgumentParser(description="Build a folder that segments photographs in the browser.")
    parser.add_argument("-o", "--output", type=Path, default=Path("site"), metavar="DIR")
    parser.add_argument("--model", default="nano", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--models", type=Path, metavar="DIR", help="already exported, instead of --model")
    parser.add_argument("--runtime", type=Path, metavar="FILE", help=f"{RUNTIME} as npm packs it, if it is here")
    options = parser.parse_args()
    site: Path = options.output
    site.mkdir(parents=True, exist_ok=True)
    for name in PAGE:
        shutil.copy(Path(__file__).parent / name, site / name)
    try:
        if options.models is None:
            export_onnx(options.model, site / "models")
        else:
            shutil.copytree(options.models, site / "models", dirs_exist_ok=True)
        take_runtime(site / "ort", options.runtime)
    except (MobileSamError, OSError, subprocess.CalledProcessError, KeyError) as error:
        said = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
        print(f"build.py: {said}", file=sys.stderr)
        return 1
    print(f"{site}: host it anywhere, or look at it with `{Path(sys.executable).name} -m http.server -d {site}`")
    return 0


def take_runtime(folder: Path, packed: Path | None = None) -> None:
    """Put ONNX Runtime Web into a folder, from npm's registry unless its package is here."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        if packed is None:
            if shutil.which("npm") is None:
                raise FileNotFoundError(f"npm is not installed; fetch {RUNTIME} elsewhere and name it by --runtime.")
            command = ["npm", "pack", "--silent", RUNTIME, "--pack-destination", scratch]
            subprocess.run(command, check=True, capture_output=True, text=True)
            (packed,) = Path(scratch).glob("*.tgz")
        with tarfile.open(packed) as archive:
            for name in RUNTIME_FILES:
                member = archive.extractfile(f"package/dist/{name}")
                assert member is not None
                (folder / name).write_bytes(member.read())


if __name__ == "__main__":
    sys.exit(main())
