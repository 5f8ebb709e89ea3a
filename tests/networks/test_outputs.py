import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab, rgb2ycbcr

from image_translation.networks.outputs import AB_RANGE, OUTPUTS

torch.manual_seed(0)
INPUTS = torch.rand(2, 3, 8, 8) * 2 - 1
EXTREMES = torch.tensor([-1.0, 1.0])


def values_for(output, scale=1.0):
    layer, size = OUTPUTS[output], 8 >> OUTPUTS[output].halvings
    return scale * (torch.rand(2, layer.channels, size, size) * 2 - 1)


def luma(images):
    return torch.einsum("nchw,c->nhw", images, torch.tensor([0.299, 0.587, 0.114]))


def last(images):
    """Channels last, 0 to 1, as scikit-image takes them."""
    return np.moveaxis((images.double().numpy() + 1) / 2, 1, -1)


@pytest.mark.parametrize("output", OUTPUTS)
def test_output_is_an_image_in_range_for_any_values(output):
    for inputs in (INPUTS, EXTREMES[:, None, None, None].expand(2, 3, 8, 8)):
        for values in (values_for(output), values_for(output).sign()):
            image = OUTPUTS[output]().eval()(inputs, values)
            assert image.shape == inputs.shape
            assert image.abs().max() <= 1


@pytest.mark.parametrize("output", ["residual", "ycbcr", "lab"])
def test_zero_values_return_a_grey_input(output):
    grey = INPUTS[:, :1].expand(-1, 3, -1, -1)
    image = OUTPUTS[output]()(grey, 0 * values_for(output))
    torch.testing.assert_close(image, grey, atol=1e-4, rtol=0)


@pytest.mark.parametrize("output", OUTPUTS)
def test_gradient_is_finite_for_black_and_white(output):
    for level in (-1.0, 0.0, 1.0):
        values = (0.3 * values_for(output)).requires_grad_()
        inputs = torch.full((2, 3, 8, 8), level)
        OUTPUTS[output]().eval()(inputs, values).square().mean().backward()
        assert values.grad.isfinite().all()


@pytest.mark.parametrize("output", ["residual", "ycbcr", "lab"])
def test_gradient_is_that_of_the_function(output):
    module = OUTPUTS[output]()
    values = values_for(output, 0.1).double()[:1, :, :2, :2].requires_grad_()
    inputs = 0.5 * INPUTS.double()[:1, :, :2, :2]
    if output == "residual":
        assert torch.autograd.gradcheck(lambda v: module(inputs, v), values)
        return
    # Worked through in float32, so the steps are wide.
    check = {"eps": 1e-2, "atol": 2e-2, "rtol": 2e-2}
    assert torch.autograd.gradcheck(
        lambda v: module(inputs, v).double(), values, **check
    )


def test_residual_reaches_any_image_from_any_other():
    ones = torch.ones(1, 3, 2, 2)
    torch.testing.assert_close(OUTPUTS["residual"]()(-ones, ones), ones)


@pytest.mark.parametrize(
    ("output", "scales"),
    [("ycbcr", (0.2, 1.0)), ("classes", (1.0, 50.0))],
)
def test_luma_of_the_input_is_kept_exactly(output, scales):
    for scale in scales:  # colours that can be shown, and many that cannot
        image = OUTPUTS[output]().eval()(INPUTS, values_for(output, scale))
        torch.testing.assert_close(luma(image), luma(INPUTS), atol=1e-6, rtol=0)


def test_colours_are_those_of_bt601():
    _, cb, cr = np.moveaxis(rgb2ycbcr(last(INPUTS)), -1, 0)
    chroma = torch.tensor(np.stack([cb, cr], axis=1) - 128) / 112
    grey = luma(INPUTS)[:, None].expand(-1, 3, -1, -1)
    image = OUTPUTS["ycbcr"]()(grey, chroma)
    np.testing.assert_allclose(last(image), last(INPUTS), atol=1e-4)


def test_colour_outside_the_gamut_keeps_its_hue():
    grey = torch.full((1, 3, 1, 1), 0.9)
    weak, strong = (
        OUTPUTS["ycbcr"]()(grey, torch.full((1, 2, 1, 1), value)) - grey
        for value in (0.01, 1.0)
    )
    parallel = torch.nn.functional.cosine_similarity(weak, strong, dim=1)
    assert parallel.item() == pytest.approx(1, abs=1e-4)
    assert strong.norm() > weak.norm()


def test_lab_is_that_of_scikit_image():
    lab = rgb2lab(last(INPUTS))
    ab = torch.tensor(np.moveaxis(lab[..., 1:], -1, 1)) / AB_RANGE
    # Another image's lightness under these colours, where sRGB has them.
    inputs = (INPUTS + 0.1).clamp(-1, 1)
    lab[..., 0] = rgb2lab(last(inputs))[..., 0]
    expected = lab2rgb(lab)
    image = last(OUTPUTS["lab"]()(inputs, ab))
    inside = ((expected > 0.001) & (expected < 0.999)).all(axis=-1)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(image[inside], expected[inside], atol=2e-4)


def test_lightness_of_the_input_is_kept_inside_the_gamut():
    inputs = 0.5 * INPUTS
    image = OUTPUTS["lab"]()(inputs, values_for("lab", 0.05))
    np.testing.assert_allclose(
        rgb2lab(last(image))[..., 0], rgb2lab(last(inputs))[..., 0], atol=0.02
    )
