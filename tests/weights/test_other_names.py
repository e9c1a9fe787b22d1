"""Checkpoints as Hugging Face transformers names them give the same masks; those of other networks are named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import mobilesamv2
from mobilesamv2 import zoo
from mobilesamv2.cli import main
from mobilesamv2.errors import WeightsError
from mobilesamv2.models.encoders.vit import VitConfig
from mobilesamv2.models.mask_decoder.decoder import MaskDecoderConfig
from mobilesamv2.models.prompt_encoder.encoder import PromptEncoderConfig
from mobilesamv2.models.sam import Sam, SamConfig
from mobilesamv2.weights import load_sam
from mobilesamv2.weights.other_names import as_published
from mobilesamv2.weights.read import read_state_dict

from .conftest import assert_one_sentence

State = dict[str, Tensor]

SMALL = SamConfig(
    encoder=VitConfig(
        width=16,
        depth=2,
        heads=2,
        global_blocks=(1,),
        window=4,
        mlp_ratio=2,
        patch_side=8,
        input_side=64,
        out_width=16,
    ),
    prompt_encoder=PromptEncoderConfig(width=16, input_side=64, stride=8),
    mask_decoder=MaskDecoderConfig(width=16, heads=2, hidden_width=32, iou_hidden_width=16),
)

# From our names to those that `SamModel(SamConfig(...)).state_dict()` of transformers 5.24 has, looked up there.
THEIRS = [
    ("image_encoder.", "vision_encoder."),
    ("vision_encoder.patch_embed.proj.", "vision_encoder.patch_embed.projection."),
    ("vision_encoder.blocks.", "vision_encoder.layers."),
    ("vision_encoder.neck.0.", "vision_encoder.neck.conv1."),
    ("vision_encoder.neck.1.", "vision_encoder.neck.layer_norm1."),
    ("vision_encoder.neck.2.", "vision_encoder.neck.conv2."),
    ("vision_encoder.neck.3.", "vision_encoder.neck.layer_norm2."),
    (".norm1.", ".layer_norm1."),
    (".norm2.", ".layer_norm2."),
    (".norm3.", ".layer_norm3."),
    (".norm4.", ".layer_norm4."),
    (".norm_final_attn.", ".layer_norm_final_attn."),
    (".pe_layer.positional_encoding_gaussian_matrix", ".shared_embedding.positional_embedding"),
    (".point_embeddings.", ".point_embed."),
    (".mask_downscaling.0.", ".mask_embed.conv1."),
    (".mask_downscaling.1.", ".mask_embed.layer_norm1."),
    (".mask_downscaling.3.", ".mask_embed.conv2."),
    (".mask_downscaling.4.", ".mask_embed.layer_norm2."),
    (".mask_downscaling.6.", ".mask_embed.conv3."),
    (".output_upscaling.0.", ".upscale_conv1."),
    (".output_upscaling.1.", ".upscale_layer_norm."),
    (".output_upscaling.3.", ".upscale_conv2."),
]
MLPS = ("output_hypernetworks_mlps", "iou_prediction_head")
CODE = "prompt_encoder.shared_embedding.positional_embedding"


def small(seed: int) -> Sam:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sam = Sam.from_config(SMALL).eval()
        for value in sam.state_dict().values():
            value.normal_(std=0.3)
    return sam


@pytest.fixture(scope="module")
def state() -> State:
    return {name: value.clone() for name, value in small(1).state_dict().items()}


def of_transformers(state: State) -> State:
    """The same tensors as transformers names them."""
    renamed = {}
    for name, value in state.items():
        if any(mlp in name for mlp in MLPS):
            for ours, theirs in (
                ("layers.0.", "proj_in."),
                ("layers.1.", "layers.0."),
                ("layers.2.", "proj_out."),
            ):
                if ours in name:
                    name = name.replace(ours, theirs)
                    break
        for ours, theirs in THEIRS:
            name = name.replace(ours, theirs)
        renamed[name] = value.clone()
    return renamed


def tied(state: State) -> State:
    """With the code of positions under both of its names, as `torch.save` writes it."""
    return state | {"shared_image_embedding.positional_embedding": state[CODE]}


def tied_once(state: State) -> State:
    """With the code of positions under its first name alone, as safetensors have it."""
    both = tied(state)
    del both[CODE]
    return both


FORMS: dict[str, Callable[[State], State]] = {
    "both names": tied,
    "one name": tied_once,
    "the other name": lambda state: state,
    "prefixed": lambda state: {f"model.{name}": value for name, value in tied(state).items()},
    "half precision": lambda state: {name: value.bfloat16() for name, value in tied(state).items()},
}


@pytest.mark.parametrize("form", FORMS, ids=FORMS.keys())
def test_a_model_of_transformers_gives_the_same_logits(form: str, state: State, tmp_path: Path) -> None:
    torch.save(FORMS[form](of_transformers(state)), tmp_path / "model.pt")
    found, expected = small(2), small(1)
    load_sam(found, {"whole": tmp_path / "model.pt"})
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    prompts: dict[str, Any] = {
        "points": torch.tensor([[[20.0, 30.0]]]),
        "labels": torch.tensor([[1]]),
        "multimask": True,
    }
    with torch.inference_mode():
        tolerance = 0.1 if form == "half precision" else 0.0
        torch.testing.assert_close(found.encode(pixels), expected.encode(pixels), rtol=tolerance, atol=tolerance)
        for one, other in zip(
            found.decode(found.encode(pixels), **prompts),
            expected.decode(expected.encode(pixels), **prompts),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


def test_the_halves_of_a_model_of_transformers_load(state: State, tmp_path: Path) -> None:
    theirs = of_transformers(state)
    save_file({n: v for n, v in theirs.items() if n.startswith("vision_encoder.")}, tmp_path / "e.safetensors")
    save_file({n: v for n, v in theirs.items() if not n.startswith("vision")}, tmp_path / "d.safetensors")
    found = small(2)
    load_sam(found, {"encoder": tmp_path / "e.safetensors", "decoder": tmp_path / "d.safetensors"})
    for name, value in found.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_names_that_are_published_already_stay(state: State) -> None:
    assert as_published(state, source="a.pt").keys() == state.keys()


def test_what_is_converted_has_the_published_names(state: State, tmp_path: Path) -> None:
    save_file(tied_once(of_transformers(state)), tmp_path / "model.safetensors")
    assert main(["weights", "convert", str(tmp_path / "model.safetensors"), str(tmp_path / "a.safetensors")]) == 0
    assert read_state_dict(tmp_path / "a.safetensors").keys() == state.keys()


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("mask_decoder.hf_token.weight", "SAM-HQ"),
        ("mask_decoder.hq_token.weight", "SAM-HQ"),
        ("memory_attention.layers.0.norm1.weight", "SAM 2"),
        ("no_memory_embedding", "SAM 2"),
    ],
)
def test_checkpoints_of_other_networks_are_named(
    name: str, network: str, state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.safetensors"
    save_file(state | {name: torch.zeros(1, 16)}, path)
    for files in ({"whole": path}, {"encoder": path, "decoder": path}):
        with pytest.raises(WeightsError, match=rf"is a checkpoint of {network} ") as caught:
            load_sam(small(2), files)
        assert_one_sentence(caught.value)
    assert main(["weights", "convert", str(path), str(tmp_path / "a.safetensors")]) == 1
    assert f"is a checkpoint of {network} " in capsys.readouterr().err


def test_the_example_of_the_documentation(state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^model = mobilesamv2\.load\(.*safetensors.*$", text, flags=re.MULTILINE)
    entry = zoo.MODELS["sam-vit-b"]
    small_entry = type(entry)(**{**vars(entry), "config": SMALL})
    monkeypatch.setitem(zoo.MODELS, "sam-vit-b", small_entry)
    (tmp_path / "sam-vit-base").mkdir()
    save_file(tied_once(of_transformers(state)), tmp_path / "sam-vit-base" / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    values: dict[str, Any] = {"mobilesamv2": mobilesamv2}
    exec(example, values)  # it is our own text
    found = values["model"].sam.state_dict()
    assert all(torch.equal(found[name].float().cpu(), state[name]) for name in state)
