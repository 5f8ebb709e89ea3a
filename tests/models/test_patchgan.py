import pytest
import torch

from image_translation.models import PatchGAN, count_gmac, count_parameters


def test_full_width_has_2_77_million_parameters():
    assert count_parameters(PatchGAN()) / 1e6 == pytest.approx(2.77, abs=0.005)


def test_full_width_takes_3_20_gmac():
    assert count_gmac(PatchGAN(), 256) == pytest.approx(3.20, abs=0.005)


@pytest.mark.parametrize(
    ("image_size", "side"), [(32, 2), (64, 6), (128, 14), (256, 30)]
)
def test_logits_are_one_a_patch(image_size, side):
    images = torch.zeros(1, 3, image_size, image_size)
    assert PatchGAN(4)(images, images).shape == (1, 1, side, side)


def test_a_logit_sees_70_by_70_pixels():
    discriminator = PatchGAN(4).eval()
    pair = torch.rand(2, 1, 3, 256, 256, requires_grad=True)
    discriminator(*pair)[0, 0, 15, 15].backward()
    for image in pair.grad:
        seen = image.abs().sum(dim=(0, 1)).nonzero()
        height, width = (seen.max(dim=0).values - seen.min(dim=0).values + 1).tolist()
        assert (height, width) == (70, 70)


def test_input_and_target_both_count():
    discriminator = PatchGAN(4).eval()
    a, b, c = torch.rand(3, 1, 3, 64, 64)
    with torch.no_grad():
        logits = discriminator(a, b)
        assert not torch.equal(logits, discriminator(c, b))
        assert not torch.equal(logits, discriminator(a, c))


def test_trains_on_a_single_pair():
    images = torch.rand(1, 3, 64, 64)
    assert PatchGAN(4).train()(images, images).isfinite().all()
