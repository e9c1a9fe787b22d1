"""SAM's ViT against recorded values of published encoders (tests/parity), and what must hold at any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mobilesamv2.models.encoders import vit
from mobilesamv2.models.encoders.vit import Attention, Block, Vit, VitConfig
from mobilesamv2.zoo.segmentation import VIT
from tests.models.conftest import RECORDED_ENCODERS
from tests.parity.synthetic_weights import manifest_of, part_of, synthetic_state, synthetic_tensor

# A grid of 20 x 20: more rows than attend at once, and no multiple of the window.
SMALL = VitConfig(width=48, depth=4, heads=3, global_blocks=(1, 3), window=7, input_side=320, out_width=32)


@pytest.fixture(scope="module")
def small_encoder() -> Vit:
    encoder = Vit(SMALL).eval()
    encoder.load_state_dict(
        {key: torch.from_numpy(synthetic_tensor(key, list(value.shape))) for key, value in encoder.state_dict().items()}
    )
    return encoder


@pytest.fixture(scope="module")
def small_pixels() -> Tensor:
    return torch.from_numpy(np.random.default_rng(9).standard_normal((2, 3, 320, 320)).astype(np.float32))


@pytest.mark.parametrize("size", ["b", "l", "h"])
def test_keys_and_shapes_are_those_of_the_published_checkpoint(size: str) -> None:
    with torch.device("meta"):
        own = Vit(VIT[size]).state_dict()
    published = part_of(manifest_of(f"sam_vit_{size}"), "image_encoder")
    assert list(own) == list(published)
    assert [list(value.shape) for value in own.values()] == [entry["shape"] for entry in published.values()]


def test_mobilesamv2s_file_of_the_huge_encoder_holds_sams_encoder_without_a_prefix() -> None:
    assert manifest_of("sam_vit_h_encoder") == part_of(manifest_of("sam_vit_h"), "image_encoder")


def test_a_small_encoder_agrees_with_the_one_of_another_library(small_encoder: Vit, small_pixels: Tensor) -> None:
    with torch.inference_mode():
        out = small_encoder(small_pixels)
    np.testing.assert_allclose(out.numpy()[:, ::2], RECORDED_ENCODERS["vit_small/out_s"], rtol=0, atol=1e-4)


def test_the_first_windows_of_vit_b_agree_with_the_recorded_ones(recorded_pixels: Tensor) -> None:
    manifest = part_of(manifest_of("sam_vit_b"), "image_encoder")
    with torch.device("meta"):
        encoder = Vit(VitConfig(depth=1)).eval()
    encoder.load_state_dict(synthetic_state({key: manifest[key] for key in encoder.state_dict()}), assign=True)
    with torch.inference_mode():  # windows know nothing of each other: the uppermost row of them is enough
        patches = encoder.patch_embed(recorded_pixels[:, :, : 14 * 16])
        features = encoder.blocks[0](patches + encoder.pos_embed[:, :14])
    assert features.shape == (1, 14, 64, 768)
    for name, output in (("patch_embed", patches), ("blocks.0", features)):
        flat = output.flatten().numpy()[:: 64 * 64 * 768 // 2000]
        expected = RECORDED_ENCODERS[f"vit_b/stage/{name}/flat_s"][: len(flat)]
        np.testing.assert_allclose(flat, expected, rtol=0, atol=1e-4)


def test_how_many_rows_attend_at_once_does_not_change_the_embedding(
    small_encoder: Vit, small_pixels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.inference_mode():
        in_bands = small_encoder(small_pixels)
        monkeypatch.setattr(vit, "ROWS_AT_ONCE", 20)
        torch.testing.assert_close(small_encoder(small_pixels), in_bands, rtol=1e-4, atol=1e-5)


def test_position_biases_are_the_querys_products_with_its_two_distances() -> None:
    torch.manual_seed(0)
    attention = Attention(4, heads=2, side=3).eval()
    for table in (attention.rel_pos_h, attention.rel_pos_w):
        torch.nn.init.normal_(table)
    x = torch.randn(1, 3, 3, 4)
    with torch.inference_mode():
        found = attention(x)
        queries, keys, values = attention.qkv(x).reshape(9, 3, 2, 2).unbind(1)  # (cells, heads, 2) each
        attended = torch.zeros(9, 2, 2)
        for head in range(2):
            for cell in range(9):
                query = queries[cell, head]
                scores = torch.stack(
                    [
                        query @ keys[other, head] / 2**0.5
                        + query @ attention.rel_pos_h[cell // 3 - other // 3 + 2]
                        + query @ attention.rel_pos_w[cell % 3 - other % 3 + 2]
                        for other in range(9)
                    ]
                )
                attended[cell, head] = scores.softmax(0) @ values[:, head]
        expected = attention.proj(attended.reshape(1, 3, 3, 4))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_cells_attend_inside_their_window_only_and_everywhere_in_global_blocks() -> None:
    torch.manual_seed(0)
    features = torch.randn(1, 8, 8, 8)
    changed = features.clone()
    changed[:, 0, 0] = torch.randn(1, 8)
    with torch.inference_mode():
        windowed = Block(8, heads=2, grid_side=8, window=4, mlp_ratio=2.0).eval()
        difference = (windowed(changed) - windowed(features)).abs().amax(dim=(0, 3))
        assert (difference[:4, :4] > 1e-6).all()
        assert (difference[4:] == 0).all()
        assert (difference[:, 4:] == 0).all()
        everywhere = Block(8, heads=2, grid_side=8, window=None, mlp_ratio=2.0).eval()
        assert ((everywhere(changed) - everywhere(features)).abs().amax(dim=(0, 3)) > 1e-7).all()


def test_a_batch_is_encoded_as_its_pictures_one_by_one(small_encoder: Vit, small_pixels: Tensor) -> None:
    with torch.inference_mode():
        alone = torch.cat([small_encoder(picture[None]) for picture in small_pixels])
        torch.testing.assert_close(small_encoder(small_pixels), alone, rtol=1e-4, atol=1e-5)


def test_no_pictures_give_no_embeddings(small_encoder: Vit) -> None:
    with torch.inference_mode():
        assert small_encoder(torch.zeros(0, 3, 320, 320)).shape == (0, 32, 20, 20)


@pytest.mark.parametrize("size_hw", [(256, 256), (320, 304), (1024, 1024)])
def test_another_size_than_that_of_the_position_tables_is_refused(small_encoder: Vit, size_hw: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"takes 320 x 320 pixels.*got \\({size_hw[0]}, {size_hw[1]}\\)"):
        small_encoder(torch.zeros(1, 3, *size_hw))


@pytest.mark.parametrize(("dtype", "share"), [(torch.bfloat16, 0.05), (torch.float16, 0.02)])
def test_half_precision_changes_the_embedding_only_by_rounding(
    dtype: torch.dtype, share: float, small_encoder: Vit, small_pixels: Tensor
) -> None:
    rounded_encoder = Vit(SMALL).eval()
    rounded_encoder.load_state_dict(small_encoder.state_dict())
    with torch.inference_mode():
        exact = small_encoder(small_pixels)
        rounded = rounded_encoder.to(dtype)(small_pixels.to(dtype))
    assert rounded.dtype == dtype
    assert (rounded.float() - exact).square().mean().sqrt() < share * exact.std()


def test_gradients_reach_every_weight() -> None:
    encoder = Vit(VitConfig(width=8, depth=2, heads=2, global_blocks=(1,), window=3, input_side=64, out_width=4))
    encoder(torch.randn(1, 3, 64, 64)).square().sum().backward()
    assert [name for name, value in encoder.named_parameters() if value.grad is None] == []


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of the heads; got 10 and 3"):
        Vit(VitConfig(width=10, heads=3, depth=1))
