"""The losses of a generator: one entry of ``LOSSES`` each.

The weight of a loss is the parameter ``objective.<name>``. Settings, training step,
history, figures, report and model card follow from the entry. PyTorch is imported inside
the functions, so that settings can be read without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from image_translation.training.diff_augment import PairChange

if TYPE_CHECKING:
    from torch import Tensor, nn

    from image_translation.networks.outputs import ColourClasses
    from image_translation.training.devices import Device

Features = Sequence[Sequence["Tensor"]]
"""Activations of a discriminator: for every scale its layers, the logits last."""

DISCRIMINATOR = "discriminator"
"""Name under which the discriminator's own loss is logged."""


@dataclass
class Translated:
    """A batch with its predictions, and the discriminator: what losses are computed from.

    Attributes:
        inputs: N×3×S×S in [-1, 1].
        targets: N×3×S×S in [-1, 1].
        predictions: N×3×S×S in [-1, 1].
        discriminator: Maps inputs and images to features; None if there is none.
        gan_loss: A key of ``GAN_LOSSES``.
        device: Device and precision of the discriminator.
        diff_augment: Random changes of what the discriminator sees, keys of ``CHANGES``.
        logits: Of colour classes, N×K×S/4×S/4; None for other outputs.
        classes: The generator's output layer, if it has colour classes.
    """

    inputs: Tensor
    targets: Tensor
    predictions: Tensor
    discriminator: nn.Module | None
    gan_loss: str
    device: Device
    diff_augment: Sequence[str] = ()
    logits: Tensor | None = None
    classes: ColourClasses | None = None

    @cached_property
    def change(self) -> PairChange:
        """The random change of what the discriminator sees in this batch."""
        return PairChange.draw(self.diff_augment, len(self.inputs), self.inputs.device)

    def classify(self, discriminator: nn.Module, images: Tensor) -> Features:
        """Activations of a discriminator for the inputs and images."""
        with self.device.autocast():
            return discriminator(*self.change(self.inputs, images))

    def features(self, images: Tensor) -> Features:
        """Activations of the discriminator for the inputs and images."""
        assert self.discriminator is not None
        return self.classify(self.discriminator, images)

    @cached_property
    def generated(self) -> Features:
        """Features of the predictions."""
        return self.features(self.predictions)

    @cached_property
    def real(self) -> Features:
        """Features of the targets, without gradients."""
        import torch

        with torch.no_grad():
            return self.features(self.targets)


@dataclass(frozen=True)
class Loss:
    """A term of the generator's objective.

    Attributes:
        label: Name in figures and reports.
        function: Computes the mean over a batch, a scalar.
        needs_discriminator: Whether it uses `Translated.generated` or `Translated.real`.
        needs_output: The value of ``network.output`` that it is for; None for all.
        is_always_logged: Whether it is also logged for models that give it no weight.
    """

    label: str
    function: Callable[[Translated], Tensor]
    needs_discriminator: bool = False
    needs_output: str | None = None
    is_always_logged: bool = False


LOSSES: Mapping[str, Loss] = {
    "l1": Loss(
        "L1", lambda t: l1_loss(t.predictions, t.targets), is_always_logged=True
    ),
    "adversarial": Loss(
        "adversarial",
        lambda t: adversarial_loss(t.generated, t.gan_loss),
        needs_discriminator=True,
    ),
    "feature_matching": Loss(
        "feature matching",
        lambda t: feature_matching_loss(t.generated, t.real),
        needs_discriminator=True,
    ),
    "l2": Loss("L2", lambda t: l2_loss(t.predictions, t.targets)),
    "ms_ssim": Loss("MS-SSIM", lambda t: ms_ssim_loss(t.predictions, t.targets)),
    "focal_frequency": Loss(
        "focal frequency", lambda t: focal_frequency_loss(t.predictions, t.targets)
    ),
    "colour_classes": Loss(
        "colour classes",
        lambda t: colour_class_loss(t.logits, t.targets, t.classes),
        needs_output="classes",
    ),
}


def with_discriminator(names: Iterable[str]) -> list[str]:
    """Names of losses as they are logged: the discriminator's follows the adversarial.

    >>> with_discriminator(["l1", "adversarial"])
    ['l1', 'adversarial', 'discriminator']
    """
    logged = []
    for name in names:
        logged += [name, DISCRIMINATOR] if name == "adversarial" else [name]
    return logged


def loss_labels() -> dict[str, str]:
    """Labels of all logged losses by name."""
    labels = {name: loss.label for name, loss in LOSSES.items()}
    return {name: labels.get(name, name) for name in with_discriminator(labels)}


def _cross_entropy(logits: Tensor, is_real: bool) -> Tensor:
    from torch.nn.functional import binary_cross_entropy_with_logits

    answer = logits.new_full(logits.shape, float(is_real))
    return binary_cross_entropy_with_logits(logits, answer)


def _hinge(logits: Tensor, is_real: bool) -> Tensor:
    return (1 - logits if is_real else 1 + logits).relu().mean()


def _least_squares(logits: Tensor, is_real: bool) -> Tensor:
    return (logits - float(is_real)).square().mean()


GAN_LOSSES: Mapping[str, Callable[[Tensor, bool], Tensor]] = {
    "cross_entropy": _cross_entropy,
    "hinge": _hinge,
    "least_squares": _least_squares,
}
"""Losses of a discriminator, from logits and whether they are of real pairs."""


def adversarial_loss(generated: Features, gan_loss: str = "cross_entropy") -> Tensor:
    """Loss of a generator whose pairs the discriminator classifies as generated.

    The mean over all patches of each scale, then over scales. ``cross_entropy``: with
    the label "real", in nats; ln 2 ≈ 0.693 if the discriminator is undecided (Isola
    et al. 2017). ``least_squares``: the squared distance of the logits from 1 (Mao et
    al. 2017, "Least squares generative adversarial networks", equation 9, without its
    factor of one half). ``hinge``: the negative logits (Lim & Ye 2017, "Geometric GAN").

    Args:
        generated: Features of generated pairs.
        gan_loss: A key of ``GAN_LOSSES``.
    """
    logits = [layers[-1].float() for layers in generated]
    if gan_loss == "hinge":
        return _sum([-x.mean() for x in logits]) / len(logits)
    return _sum([GAN_LOSSES[gan_loss](x, True) for x in logits]) / len(logits)


def discriminator_loss(
    real: Features, generated: Features, gan_loss: str = "cross_entropy"
) -> Tensor:
    """Loss of a discriminator that classifies real and generated pairs.

    The mean of both terms, not their sum: the paper halves the objective while
    optimizing the discriminator, to slow it down (section 3.3). ``hinge``: by how much
    logits of real pairs fall short of 1, and those of generated ones exceed -1.

    Args:
        real: Features of real pairs.
        generated: Features of generated pairs.
        gan_loss: A key of ``GAN_LOSSES``.
    """
    loss = GAN_LOSSES[gan_loss]
    terms = [
        loss(layers[-1].float(), is_real)
        for features, is_real in ((real, True), (generated, False))
        for layers in features
    ]
    return _sum(terms) / len(terms)


def feature_matching_loss(generated: Features, real: Features) -> Tensor:
    """Distance of generated and real pairs in the layers of the discriminator.

    Wang et al. (2018), pix2pixHD, equation 4: the mean absolute difference of every
    layer but the logits, summed over layers, averaged over scales.

    Args:
        generated: Features of generated pairs.
        real: Features of real pairs; no gradient flows through them.
    """
    layers = [
        l1_loss(a, b.detach().float())
        for ours, theirs in zip(generated, real, strict=True)
        for a, b in zip(ours[:-1], theirs[:-1], strict=True)
    ]
    return _sum(layers) / len(real)


def l1_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute difference of images in [-1, 1], N×C×H×W."""
    return (predictions.float() - targets).abs().mean()


def l2_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean squared difference of images in [-1, 1], N×C×H×W.

    Its optimum is the mean of all plausible targets, that of L1 their median (Isola et al.
    2017, section 3.1).
    """
    return (predictions.float() - targets).square().mean()


def ms_ssim_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """1 minus the multi-scale structural similarity of images in [-1, 1].

    Zhao, Gallo, Frosio & Kautz (2016), "Loss functions for image restoration with neural
    networks", section III.B.

    Args:
        predictions: N×C×H×W, height and width at least 11 pixels.
        targets: N×C×H×W.
    """
    from image_translation.training.ssim import ms_ssim

    # SSIM is defined for light, which is never negative.
    return 1 - ms_ssim((predictions.float() + 1) / 2, (targets.float() + 1) / 2).mean()


def focal_frequency_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """Squared differences of spectra, weighted towards the largest differences.

    Jiang, Dai, Wu & Loy (2021), "Focal frequency loss for image reconstruction and
    synthesis", equations 8 and 9, with α = 1: every frequency of the difference, whole
    images on the 0–1 scale, is weighted by its own magnitude relative to the largest
    one; no gradient flows through the weights.

    Args:
        predictions: N×C×H×W in [-1, 1].
        targets: N×C×H×W in [-1, 1].
    """
    from torch.fft import fft2

    difference = (predictions.float() - targets.float()) / 2
    squares = fft2(difference, norm="ortho").abs().square()
    weights = squares.detach().sqrt()
    largest = weights.amax(dim=(2, 3), keepdim=True)
    return (weights / largest.clamp(min=1e-12) * squares).mean()


def colour_class_loss(
    logits: Tensor | None, targets: Tensor, classes: ColourClasses | None
) -> Tensor:
    """Cross-entropy of predicted and soft colour classes, weighted by rarity.

    Zhang, Isola & Efros (2016), "Colorful image colorization", equation 2, as a mean over
    pixels: each counts with the weight of the bin that is nearest to its colour.

    Args:
        logits: N×K×H/4×W/4.
        targets: N×3×H×W in [-1, 1].
        classes: The output layer with the bins and their weights.
    """
    # The settings have checked the output.
    assert logits is not None and classes is not None
    shares, nearest = classes.classify(targets)  # (N, 5, H/4, W/4)
    likelihoods = logits.float().log_softmax(1).gather(1, nearest)
    entropies = -(shares * likelihoods).sum(1)
    return (classes.weights[nearest[:, 0]] * entropies).mean()


def _sum(terms: Sequence[Tensor]) -> Tensor:
    return sum(terms[1:], terms[0])
