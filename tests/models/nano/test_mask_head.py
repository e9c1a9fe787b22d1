from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mobilesamv2.models.nano.mask_head import CELLS, MaskHead, MaskHeadConfig, WindowPrompts

WINDOWS = torch.tensor([[0.0, 0.0, 20.0, 20.0], [10.0, 10.0, 70.0, 50.0], [-5.0, 30.0, 20.0, 40.0], [0, 0, 64, 64]])


@pytest.fixture(scope="module")
def head() -> MaskHead:
    torch.manual_seed(0)
    config = MaskHeadConfig(widths=(8, 8, 8), iou_width=8)
    return MaskHead(config, detail=4, parts=6, context=8).eval()


def features(seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((1, 4, 16, 16), (1, 6, 8, 8), (1, 8, 4, 4))
    return [torch.randn(shape, generator=generator) for shape in shapes]


def answers(
    head: MaskHead,
    windows: Tensor = WINDOWS,
    *,
    pictures: list[Tensor] | None = None,
    picture: Tensor | None = None,
    kind: int = 0,
    **prompts: Tensor,
) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        logits, iou = head(
            head.share(*(features() if pictures is None else pictures)),
            WindowPrompts(
                windows=windows,
                picture=torch.zeros(len(windows), dtype=torch.long) if picture is None else picture,
                kind=torch.full((len(windows),), kind),
                **prompts,
            ),
        )
    return logits, iou


def test_masks_do_not_depend_on_the_prompts_beside_them(head: MaskHead) -> None:
    logits, iou = answers(head)
    alone = [answers(head, window[None]) for window in WINDOWS]
    assert logits.shape == (4, 2 * CELLS, 2 * CELLS)
    assert ((iou > 0) & (iou < 1)).all()
    torch.testing.assert_close(logits, torch.cat([one for one, _ in alone]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(iou, torch.cat([one for _, one in alone]), atol=1e-5, rtol=1e-4)


def test_each_prompt_reads_the_features_of_its_own_picture(head: MaskHead) -> None:
    first, second = features(0), features(1)
    both = [torch.cat(pair) for pair in zip(first, second, strict=True)]
    logits, _ = answers(head, pictures=both, picture=torch.tensor([1, 0, 1, 0]))
    of_first, of_second = (answers(head, pictures=one)[0] for one in (first, second))
    torch.testing.assert_close(logits[1::2], of_first[1::2], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(logits[::2], of_second[::2], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(of_first, of_second, atol=1e-3)


@pytest.mark.parametrize("level", range(3))
def test_every_level_of_features_is_read(head: MaskHead, level: int) -> None:
    other = features()
    other[level] = other[level] + 1
    assert not torch.allclose(answers(head)[0], answers(head, pictures=other)[0], atol=1e-4)


def test_a_mask_depends_on_where_points_are_and_on_their_labels_and_padding_says_nothing(
    head: MaskHead,
) -> None:
    def answer(points: list[list[float]], labels: list[int]) -> Tensor:
        return answers(head, WINDOWS[:1], kind=1, points=torch.tensor([points]), labels=torch.tensor([labels]))[0]

    here = answer([[4.0, 10.0]], [1])
    assert not torch.allclose(here, answer([[16.0, 10.0]], [1]), atol=1e-3)
    assert not torch.allclose(here, answer([[4.0, 10.0]], [0]), atol=1e-3)
    torch.testing.assert_close(here, answer([[4.0, 10.0], [9.0, 9.0]], [1, -1]))


def test_an_earlier_mask_is_looked_at(head: MaskHead) -> None:
    prior = torch.zeros(4, 1, CELLS, CELLS)
    torch.testing.assert_close(answers(head)[0], answers(head, prior=prior)[0])
    prior[:, :, :16] = 4.0
    assert not torch.allclose(answers(head)[0], answers(head, prior=prior)[0], atol=1e-3)


def test_no_prompts_give_no_masks(head: MaskHead) -> None:
    logits, iou = answers(head, WINDOWS[:0])
    assert logits.shape == (0, 64, 64)
    assert iou.shape == (0,)
