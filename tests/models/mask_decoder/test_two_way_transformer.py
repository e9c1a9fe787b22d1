from __future__ import annotations

import pytest
import torch

from mobilesamv2.models.mask_decoder.two_way_transformer import Attention


@pytest.fixture(scope="module")
def attention() -> Attention:
    torch.manual_seed(0)
    return Attention(width=24, heads=3, downsample=2).eval()


@pytest.mark.parametrize("pictures", [1, 4], ids=["shared", "own"])
def test_folding_weights_into_the_few_changes_nothing(attention: Attention, pictures: int) -> None:
    few, many = torch.randn(4, 7, 24), torch.randn(pictures, 50, 24)
    placed = many + torch.randn(1, 50, 24)
    with torch.inference_mode():
        torch.testing.assert_close(
            attention.few_to_many(query=few, key=placed, value=many),
            attention(query=few, key=placed, value=many),
            atol=1e-6,
            rtol=1e-5,
        )
        torch.testing.assert_close(
            attention.many_to_few(query=placed, key=few + 1, value=few),
            attention(query=placed, key=few + 1, value=few),
            atol=1e-6,
            rtol=1e-5,
        )


def test_no_prompts_attend_to_nothing(attention: Attention) -> None:
    few, many = torch.randn(0, 7, 24), torch.randn(1, 50, 24)
    assert attention.few_to_many(query=few, key=many, value=many).shape == (0, 7, 24)
    assert attention.many_to_few(query=many, key=few, value=few).shape == (0, 50, 24)


def test_heads_must_divide_the_inner_width() -> None:
    with pytest.raises(ValueError, match="multiple of the 5 heads"):
        Attention(width=24, heads=5)
