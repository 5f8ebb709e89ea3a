import numpy as np
import pytest
from PIL import Image

from image_translation.translation.upsampling import (
    RADIUS,
    REGULARIZATION,
    LocalLinear,
    apply_linear,
)


def upsample(functions, guide):
    result = np.empty((*guide.shape[:2], functions.coefficients.shape[-1]), np.float32)
    for rows, coefficients in functions.strips(*guide.shape[:2]):
        result[rows] = apply_linear(coefficients, guide[rows])
    return result


def test_linear_function_of_the_guide_is_found():
    rng = np.random.default_rng(0)
    guide = rng.random((24, 30, 3)).astype(np.float32)
    matrix = rng.normal(size=(3, 2)).astype(np.float32)
    target = guide @ matrix + np.float32([0.2, -0.1])
    large = rng.random((200, 250, 3)).astype(np.float32)
    made = upsample(LocalLinear.fit(guide, target), large)
    np.testing.assert_allclose(made, large @ matrix + [0.2, -0.1], atol=0.1)


def test_fit_is_the_ridge_regression_of_a_window():
    """He, Sun and Tang 2013, equations 5, 6 and 14, by least squares at one pixel."""
    rng = np.random.default_rng(1)
    guide, target = rng.random((9, 9, 2)), rng.random((9, 9, 1))
    size = 2 * RADIUS + 1
    windows = [
        np.s_[y : y + size, x : x + size]
        for y in range(9 - size + 1)
        for x in range(9 - size + 1)
    ]

    def ridge(window):
        inputs, outputs = guide[window].reshape(-1, 2), target[window].reshape(-1)
        centred = inputs - inputs.mean(0)
        n = len(inputs)
        factors = np.linalg.solve(
            centred.T @ centred / n + REGULARIZATION * np.eye(2),
            centred.T @ (outputs - outputs.mean()) / n,
        )
        return [*factors, outputs.mean() - inputs.mean(0) @ factors]

    expected = np.mean([ridge(window) for window in windows], axis=0)
    fitted = LocalLinear.fit(guide, target).coefficients[4, 4, :, 0]
    np.testing.assert_allclose(fitted, expected, rtol=1e-4)


@pytest.mark.parametrize("shape", [(120, 333), (64, 64), (7, 20), (1, 1), (700, 3)])
def test_strips_are_the_bilinear_interpolation(shape, monkeypatch):
    """Compared with Pillow, which enlarges with the same interpolation."""
    monkeypatch.setattr("image_translation.translation.upsampling.STRIP_PIXELS", 999)
    small = np.random.default_rng(0).random((7, 20, 1, 1)).astype(np.float32)
    height, width = shape
    result = np.concatenate([s for _, s in LocalLinear(small).strips(height, width)])
    assert result.shape == (height, width, 1, 1)
    if height >= 7 and width >= 20:
        image = Image.fromarray(small[..., 0, 0])
        expected = image.resize((width, height), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(result[..., 0, 0], expected, atol=1e-5)


def test_edge_of_the_photograph_stays_sharp():
    """Bicubic enlargement blurs over eight pixels; the guide knows where the edge is."""
    guide = np.zeros((128, 128, 1), np.float32)
    guide[:, 61:] = 1
    small = guide.reshape(16, 8, 16, 8, 1).mean((1, 3))
    made = upsample(LocalLinear.fit(small, 0.2 + 0.5 * small), guide)
    assert abs(made[64, 60, 0] - 0.2) < 0.02 and abs(made[64, 61, 0] - 0.7) < 0.02
