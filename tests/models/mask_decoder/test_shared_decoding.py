"""Prompts that share an image, decoded without images of their own, against the decoder word for word."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mobilesamv2.models.mask_decoder.decoder import MaskDecoder, MaskDecoderConfig
from mobilesamv2.models.mask_decoder.shared_decoding import RowLayout
from tests.models.mask_decoder.plain_decoder import plain_decode


def a_decoder(seed: int = 0, **sizes: int) -> MaskDecoder:
    """A small one whose norms and biases, unlike new ones, change something."""
    torch.manual_seed(seed)
    sizes = {"width": 32, "heads": 4, "hidden_width": 48, "iou_hidden_width": 16} | sizes
    decoder = MaskDecoder(MaskDecoderConfig(**sizes)).eval()
    with torch.no_grad():
        for parameter in decoder.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
            else:
                parameter.mul_(2)
    return decoder


def prompts(
    decoder: MaskDecoder,
    *,
    count: int = 3,
    tokens: int = 2,
    size_hw: tuple[int, int] = (6, 9),
    scale: float = 1.0,
) -> dict[str, Tensor]:
    width = decoder.config.width
    generator = torch.Generator().manual_seed(1)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return {
        "image": scale * noise(1, width, *size_hw),
        "image_code": noise(1, width, *size_hw),
        "sparse": noise(count, tokens, width),
        "dense": noise(1, width, 1, 1).expand(1, -1, *size_hw),
    }


def truth(decoder: MaskDecoder, asked: dict[str, Tensor], *, multimask: bool) -> tuple[Tensor, Tensor]:
    """The plain decoder's answers in double precision."""
    double = MaskDecoder(decoder.config).double()
    double.load_state_dict(decoder.state_dict())
    part = slice(1, None) if multimask else slice(0, 1)
    with torch.inference_mode():
        return plain_decode(double, **{name: value.double() for name, value in asked.items()}, asked=part)


def assert_close(found: tuple[Tensor, Tensor], true: tuple[Tensor, Tensor], *, atol: float = 2e-5) -> None:
    (logits, iou), (true_logits, true_iou) = found, true
    assert logits.shape == true_logits.shape
    scale = float(true_logits.abs().max()) if true_logits.numel() else 1.0
    torch.testing.assert_close(logits.double(), true_logits, atol=atol * scale, rtol=0)
    torch.testing.assert_close(iou.double(), true_iou, atol=1e-4, rtol=1e-4)


def assert_agree(decoder: MaskDecoder, asked: dict[str, Tensor], *, multimask: bool, atol: float = 2e-5) -> None:
    with torch.inference_mode():
        assert decoder.can_share(asked["image"])
        found = decoder(**asked, multimask=multimask)
    assert_close(found, truth(decoder, asked, multimask=multimask), atol=atol)


@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize("count", [0, 1, 4, 9])
def test_any_number_of_prompts_gets_the_answers_of_the_plain_decoder(count: int, multimask: bool) -> None:
    decoder = a_decoder()
    assert_agree(decoder, prompts(decoder, count=count), multimask=multimask)


@pytest.mark.parametrize(
    "sizes",
    [
        {"depth": 1},
        {"depth": 3},
        {"heads": 1},
        {"width": 16, "heads": 8},
        {"mask_tokens": 2},
    ],
    ids=str,
)
def test_so_it_is_in_decoders_of_every_size(sizes: dict[str, int]) -> None:
    decoder = a_decoder(**sizes)
    for tokens, size_hw in ((0, (4, 4)), (1, (1, 1)), (5, (3, 50))):
        assert_agree(decoder, prompts(decoder, tokens=tokens, size_hw=size_hw), multimask=False)


@pytest.mark.parametrize("scale", [0.0, 1e-4, 100.0], ids=["blank", "faint", "loud"])
def test_embeddings_of_any_magnitude_keep_their_digits(scale: float) -> None:
    decoder = a_decoder()
    assert_agree(decoder, prompts(decoder, scale=scale), multimask=False, atol=1e-4)


def test_upscaling_in_pieces_that_do_not_divide_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mobilesamv2.models.mask_decoder.decoder.PIXELS_AT_ONCE", 50)
    decoder = a_decoder()
    assert_agree(decoder, prompts(decoder), multimask=True)


def test_what_is_shared_serves_any_number_of_calls() -> None:
    decoder = a_decoder()
    asked = prompts(decoder, count=6)
    with torch.inference_mode():
        shared = decoder.share(image=asked["image"] + asked["dense"], image_code=asked["image_code"])
        expected, _ = decoder(**asked, multimask=False)
        for part in (slice(0, 2), slice(2, 6)):
            found, _ = decoder.decode_shared(shared, sparse=asked["sparse"][part], multimask=False)
            torch.testing.assert_close(found, expected[part], atol=1e-5, rtol=1e-5)


def test_rows_of_all_blocks_lie_one_after_the_other() -> None:
    layout, taken = RowLayout(attention_rows=3), list[int]()
    for block in range(3):
        assert layout.before(block) == slice(0, len(taken))
        taken += range(100)[layout.attention(block)]
        assert layout.with_attention(block) == slice(0, len(taken))
        taken.append(layout.ones(block))
    assert taken == list(range(12))


def test_nothing_is_shared_where_it_would_be_wrong_or_slow() -> None:
    image = torch.zeros(1, 32, 6, 9)
    assert not MaskDecoder.can_share(image)  # gradients are wanted
    with torch.inference_mode():
        assert MaskDecoder.can_share(image)
        assert not MaskDecoder.can_share(image.bfloat16())
        assert not MaskDecoder.can_share(image.half())
        assert not MaskDecoder.can_share(image.to("meta"))


@pytest.mark.parametrize("multimask", [False, True])
def test_prompts_with_masks_of_their_own_get_the_answers_of_the_plain_decoder_too(multimask: bool) -> None:
    decoder = a_decoder()
    asked = prompts(decoder)
    asked["dense"] = torch.randn(3, 32, 6, 9, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        found = decoder(**asked, multimask=multimask)
    assert_close(found, truth(decoder, asked, multimask=multimask))
