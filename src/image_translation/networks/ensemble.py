"""The mean of several networks."""

from collections.abc import Iterable

from torch import Tensor, nn


class Ensemble(nn.Module):
    """The mean of the images of its members.

    Lakshminarayanan, Pritzel & Blundell (2017), "Simple and scalable predictive uncertainty
    estimation using deep ensembles", section 2: networks that differ in their random
    initialization and order of data, with equal weights. As the squared error is convex,
    that of the mean is at most the mean of the members' (Krogh & Vedelsby 1994, "Neural
    network ensembles, cross validation, and active learning").

    Args:
        members: Networks that map N×3×H×W in [-1, 1] to the same.
    """

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, inputs: Tensor) -> Tensor:
        """Translate N×3×H×W in [-1, 1]."""
        total = self.members[0](inputs)
        for member in self.members[1:]:
            total = total + member(inputs)
        return total / len(self.members)
