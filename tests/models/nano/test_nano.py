import dataclasses

import pytest
import torch
from torch.nn import functional as F

from mobilesamv2.models.nano.encoder import NanoEncoder, NanoEncoderConfig
from mobilesamv2.models.nano.similarity import Similarity
from mobilesamv2.models.prompt_encoder.encoder import PromptEncoder, PromptEncoderConfig
from mobilesamv2.models.sam import Sam, nano_config
from tests.tiny import TINY, tiny_sam

CONFIG = PromptEncoderConfig(width=16, input_side=64, stride=8, dense_prompts=True)


@pytest.mark.parametrize("side", [32, 64, 96])
def test_the_embedding_has_an_eighth_of_the_pictures_side(side):
    encoder = NanoEncoder(
        NanoEncoderConfig(widths=(8, 8, 8, 8), depths=(1, 0, 0, 0), head_width=8, out_width=12)
    )
    assert encoder(torch.zeros(2, 3, side, side)).shape == (2, 12, side // 8, side // 8)


def plain_pair(x, layers):
    convolution, norm, _ = layers
    return F.relu(norm(convolution(x)))


def plain_encoder(encoder, x):
    """The encoder as it is described, one layer after the other, without a finer embedding."""
    x = plain_pair(x, encoder.stem)
    levels = []
    for first, *blocks in encoder.stages:
        x = plain_pair(x, first)
        for block in blocks:
            x = F.relu(x + block.norm(block.second(plain_pair(x, block.first))))
        levels.append(x)
    for block in encoder.context:
        x = x + block.position(x)
        tokens = x.flatten(2).transpose(1, 2)
        q, k, v = block.qkv(block.norm1(tokens)).unflatten(-1, (3, block.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        tokens = tokens + block.proj((weights @ v).transpose(1, 2).flatten(2))
        tokens = tokens + block.fc2(F.relu(block.fc1(block.norm2(tokens))))
        x = tokens.transpose(1, 2).reshape(x.shape)
    levels[-1] = x
    total = encoder.detail(levels[0])
    for level, lateral in zip(levels[1:], encoder.laterals, strict=True):
        total = total + F.interpolate(lateral(level), total.shape[-2:], mode="bilinear", align_corners=False)
    x = plain_pair(F.relu(encoder.neck[0](total)), encoder.neck[2])
    return encoder.neck[4](encoder.neck[3](x))


def small_encoder():
    torch.manual_seed(0)
    encoder = NanoEncoder(
        NanoEncoderConfig(widths=(8, 12, 16, 16), depths=(1, 2, 1, 1), head_width=8, out_width=12)
    )
    for name, value in encoder.named_buffers():
        if name.endswith("running_mean"):
            value.normal_()
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return encoder.eval()


def test_folded_and_fused_layers_compute_what_the_plain_ones_do():
    encoder, pixels = small_encoder(), torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        torch.testing.assert_close(encoder(pixels), plain_encoder(encoder, pixels), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_the_plain_layers(training):
    encoder, pixels = small_encoder(), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        encoder(pixels)
    encoder.train(training)
    weights = [value for name, value in encoder.named_parameters() if name.endswith("weight")]
    found = torch.autograd.grad(encoder(pixels).square().sum(), weights)
    expected = torch.autograd.grad(plain_encoder(encoder, pixels).square().sum(), weights)
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2)


def test_the_embedded_model_is_small():
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in Sam.from_config(nano_config()).parameters())
    assert parameters * 2 < 12e6  # bytes in float16


@pytest.fixture(scope="module")
def prompt_encoder():
    torch.manual_seed(0)
    return PromptEncoder(CONFIG).eval()


def drawn(prompt_encoder, **prompts):
    (picture,) = prompt_encoder.draw((8, 8), **prompts).values()
    return picture


def test_a_box_is_drawn_as_a_dome_inside_and_minus_one_outside(prompt_encoder):
    # 2 input pixels make a mask pixel
    (box,) = drawn(prompt_encoder, boxes_xyxy=torch.tensor([[8.0, 16.0, 24.0, 32.0]]))
    inside = torch.zeros(32, 32, dtype=torch.bool)
    inside[8:16, 4:12] = True
    assert (box[~inside] == -1).all()
    assert (box[inside] >= 0).all()
    assert box[8, 4] == box[15, 11]
    assert 0 <= box[8, 4] < 0.25 < box[8, 8] < 0.75 < box[12, 8] <= 1


def test_a_box_edge_inside_a_mask_pixel_is_drawn_by_its_share(prompt_encoder):
    (box,) = drawn(prompt_encoder, boxes_xyxy=torch.tensor([[1.0, 0.0, 40.0, 2.0]]))
    whole, half = box[0, 1] + 1, box[0, 0] + 1
    assert 0.4 * whole < half < 0.6 * whole


def test_points_are_bumps_of_their_sign_where_they_are(prompt_encoder):
    points = torch.tensor([[[10.0, 40.0], [50.0, 20.0], [0.0, 0.0]]])
    (bumps,) = drawn(prompt_encoder, points=points, labels=torch.tensor([[1, 0, -1]]))
    assert divmod(int(bumps.argmax()), 32) == (20, 5)
    assert divmod(int(bumps.argmin()), 32) == (10, 25)
    assert bumps[20, 5] > 0.6
    assert bumps[10, 25] < -0.6


def test_padding_points_draw_nothing(prompt_encoder):
    points = torch.tensor([[[10.0, 40.0], [3.0, 3.0]]])
    (with_padding,) = drawn(prompt_encoder, points=points, labels=torch.tensor([[1, -1]]))
    (alone,) = drawn(prompt_encoder, points=points[:, :1], labels=torch.tensor([[1]]))
    assert torch.equal(with_padding, alone)


def test_the_first_guess_is_what_looks_like_the_inside_of_the_prompt():
    torch.manual_seed(0)
    likeness = Similarity(width=4, channels=8)
    image = torch.randn(1, 4, 1, 1).expand(1, 4, 16, 16).clone()
    image[..., 4:12, 4:10] = torch.randn(1, 4, 1, 1)  # an object of one colour on a ground of another
    inside, outside = torch.zeros(2, 16, 16), torch.zeros(2, 16, 16)
    inside[0, 4:12, 4:12], outside[0, 2:14, 2:14] = 1, 0.5  # a box with some ground in it
    inside[1, 6, 6], outside[1] = 1, 1e-3  # a point
    guess = likeness(likeness.kernel(image), inside=inside, outside=outside)
    assert guess.shape == (2, 16, 16)
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[4:12, 4:10] = True
    assert torch.equal(guess[0] > 0, expected)
    assert torch.equal(guess[1] > 0, expected)


def test_guesses_on_one_picture_equal_guesses_on_copies_of_it():
    torch.manual_seed(0)
    likeness, image = Similarity(width=4, channels=8), torch.randn(1, 4, 8, 8)
    weights = torch.rand(2, 3, 8, 8)
    shared = likeness(likeness.kernel(image), inside=weights[0], outside=weights[1])
    copied = likeness(likeness.kernel(image.repeat(3, 1, 1, 1)), inside=weights[0], outside=weights[1])
    torch.testing.assert_close(shared, copied, atol=1e-4, rtol=1e-4)
    nothing = likeness(likeness.kernel(image), inside=weights[0, :0], outside=weights[1, :0])
    assert nothing.shape == (0, 8, 8)


def test_a_published_prompt_encoder_draws_nothing_and_shares_one_dense_map():
    encoder = PromptEncoder(PromptEncoderConfig(width=16, input_side=64, stride=8))
    sparse, dense = encoder(embedding_hw=(8, 8), boxes_xyxy=torch.rand(5, 4))
    assert sparse.shape == (5, 2, 16)
    assert dense.shape == (1, 16, 8, 8)


def test_prompts_decoded_together_equal_prompts_decoded_alone():
    sam = tiny_sam()
    boxes = torch.tensor([[4.0, 4.0, 30.0, 30.0], [10.0, 20.0, 60.0, 50.0], [0.0, 0.0, 64.0, 64.0]])
    with torch.inference_mode():
        embedding = sam.encode(torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
        kernel = sam.compare(embedding)
        logits, iou = sam.decode(embedding, boxes_xyxy=boxes, kernel=kernel, multimask=True)
        for row in range(3):
            alone, alone_iou = sam.decode(
                embedding, boxes_xyxy=boxes[row : row + 1], kernel=kernel, multimask=True
            )
            torch.testing.assert_close(alone[0], logits[row], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(alone_iou[0], iou[row], atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def windowed():
    """A tiny model with guesses in windows, an embedding, and what it is compared by."""
    encoder = dataclasses.replace(TINY.encoder, detail_width=4)
    prompts = dataclasses.replace(TINY.prompt_encoder, window_detail=4)
    sam = tiny_sam(dataclasses.replace(TINY, encoder=encoder, prompt_encoder=prompts))
    with torch.inference_mode():
        embedding = sam.encode(torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
        return sam, embedding, sam.compare(embedding)


WINDOWED = [
    {"boxes_xyxy": torch.tensor([[4.0, 4.0, 30.0, 30.0], [10.0, 20.0, 60.0, 50.0]])},
    {"points": torch.tensor([[[9.0, 9.0]], [[40.0, 50.0]]]), "labels": torch.ones(2, 1)},
    {
        "boxes_xyxy": torch.tensor([[4.0, 4.0, 30.0, 30.0], [10.0, 20.0, 60.0, 50.0]]),
        "points": torch.tensor([[[9.0, 9.0], [5.0, 5.0]], [[40.0, 50.0], [0.0, 0.0]]]),
        "labels": torch.tensor([[1, 0], [1, -1]]),
    },
]


@pytest.mark.parametrize("prompts", WINDOWED, ids=["boxes", "points", "both"])
@pytest.mark.parametrize("multimask", [False, True])
def test_prompts_with_windows_are_answered_one_by_one_or_together(windowed, prompts, multimask):
    sam, embedding, kernel = windowed
    with torch.inference_mode():
        logits, iou = sam.decode(embedding, kernel=kernel, multimask=multimask, **prompts)
        assert logits.shape == (2, 3 if multimask else 1, 32, 32)
        for row in range(2):
            one = {name: value[row : row + 1] for name, value in prompts.items()}
            alone, alone_iou = sam.decode(embedding, kernel=kernel, multimask=multimask, **one)
            torch.testing.assert_close(alone[0], logits[row], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(alone_iou[0], iou[row], atol=1e-5, rtol=1e-4)
        none = {name: value[:0] for name, value in prompts.items()}
        logits, iou = sam.decode(embedding, kernel=kernel, multimask=multimask, **none)
        assert (len(logits), len(iou)) == (0, 0)


def test_the_single_mask_of_points_is_the_one_with_the_best_predicted_iou(windowed):
    sam, embedding, kernel = windowed
    with torch.inference_mode():
        three, ious = sam.decode(embedding, kernel=kernel, multimask=True, **WINDOWED[1])
        one, iou = sam.decode(embedding, kernel=kernel, multimask=False, **WINDOWED[1])
    best = ious.argmax(1)
    torch.testing.assert_close(iou[:, 0], ious[range(2), best])
    torch.testing.assert_close(one[:, 0], three[range(2), best])


def test_the_decoder_sees_only_its_own_channels_of_an_embedding(windowed):
    sam, embedding, _ = windowed
    image, detail = sam.split(embedding)
    assert image.shape == (1, 16, 8, 8)
    assert detail.shape == (1, 4, 16, 16)
    assert tiny_sam().split(image)[1] is None


def test_parts_of_different_widths_are_refused():
    sam = tiny_sam()
    with pytest.raises(ValueError, match="must be equal"):
        Sam(
            image_encoder=sam.image_encoder,
            prompt_encoder=PromptEncoder(PromptEncoderConfig(width=32)),
            mask_decoder=sam.mask_decoder,
        )
