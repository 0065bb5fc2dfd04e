"""torchvision's RetinaNet on a BiT backbone.

BiT's Table 3 puts its networks under a RetinaNet (Lin et al. 2017). The detector here is torchvision's: pyramid,
anchors, two subnets, focal loss. Only the backbone is ours. torchvision is imported inside the functions, so ``bitdoc``
works without it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitdoc.network.resnet import ResNetV2

if TYPE_CHECKING:
    from torchvision.models.detection import RetinaNet
    from torchvision.models.detection.anchor_utils import AnchorGenerator

#: Pyramid levels of RetinaNet, and how many input pixels one of their cells is apart from the next.
LEVELS = {"P3": 8, "P4": 16, "P5": 32, "P6": 64, "P7": 128}


def _need_torchvision() -> None:
    try:
        import torchvision  # noqa: F401
    except ImportError as error:
        raise ImportError("the detector needs torchvision; install it with: pip install torchvision") from error


class Pyramid(nn.Module):
    """A BiT body and the feature pyramid that RetinaNet puts on it.

    Parameters
    ----------
    body : ResNetV2
        The network; its head is not used.
    channels : int
        Channels of every level (256 in the papers).

    Notes
    -----
    A pre-activation stage ends in a bare sum. Each stage is therefore read after the norm and ReLU through which the
    next stage reads it, so the pyramid sees the numbers the pre-trained network itself works with; the BiT paper does
    not say what its detectors read. P6 comes from C5, not from P5, as in the RetinaNet paper.
    """

    def __init__(self, body: ResNetV2, channels: int = 256):
        _need_torchvision()
        from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelP6P7

        super().__init__()
        self.body, self.out_channels = body, channels
        widths = [body.arch.channels(256 * 2**stage) for stage in (1, 2, 3)]
        coarse = LastLevelP6P7(widths[-1], channels)
        coarse.use_P5 = False  # torchvision would take P5 where C5 happens to be as wide
        self.fpn = FeaturePyramidNetwork(widths, channels, coarse)

    def bottom_up(self, x: Tensor) -> OrderedDict[str, Tensor]:
        """Map images ``(N, 3, H, W)`` to C3, C4 and C5, at strides 8, 16 and 32."""
        stages = self.body.stages
        readers = [stages.get_submodule("2.0.norm_a"), stages.get_submodule("3.0.norm_a"), self.body.norm]
        x = stages[0](self.body.root(x))
        maps = OrderedDict()
        for name, stage, reader in zip(("C3", "C4", "C5"), stages[1:], readers, strict=True):
            x = stage(x)
            maps[name] = F.relu(reader(x))
        return maps

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        """Map images ``(N, 3, H, W)`` to P3 ... P7, each ``(N, channels, H / stride, W / stride)``."""
        return OrderedDict(zip(LEVELS, self.fpn(self.bottom_up(x)).values(), strict=True))


def anchors(smallest: float = 32) -> AnchorGenerator:
    """Make RetinaNet's anchors: on each level three sizes (a third of an octave apart) times three shapes.

    ``smallest`` is the side of the base anchor on P3, in pixels of the resized image; it doubles at every level, from
    32 to 512 in the paper. Ratios of height to width are 1:2, 1:1 and 2:1.
    """
    _need_torchvision()
    from torchvision.models.detection.anchor_utils import AnchorGenerator

    sizes = tuple(tuple(smallest * 2 ** (level + part / 3) for part in range(3)) for level in range(len(LEVELS)))
    return AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(LEVELS))


def retinanet(
    body: ResNetV2, classes: int, side: int = 1024, smallest: float = 32, channels: int = 256, **options
) -> RetinaNet:
    """Build a RetinaNet on a BiT body.

    Parameters
    ----------
    body : ResNetV2
        For example ``bitdoc.network.resnet.build("R101x3", classes=0)`` with upstream weights loaded.
    classes : int
        Kinds of object, labeled 0 to ``classes - 1``. There is no background class: a sigmoid per class can say no.
    side : int
        Images are scaled so that the shorter side has this many pixels, and the longer not more; BiT uses 1024.
    smallest : float
        Base anchor on P3, see :func:`anchors`.
    channels : int
        Width of the pyramid and of the two subnets.
    **options
        Passed to torchvision's ``RetinaNet``, such as ``score_thresh``.

    Returns
    -------
    RetinaNet
        Takes a list of images ``(3, H, W)`` in [0, 1], which it moves to BiT's [-1, 1]. In training mode, with targets
        (``boxes`` as x1, y1, x2, y2 in pixels, and ``labels``), it returns the two losses; else the detections.

    Raises
    ------
    ImportError
        If torchvision is not installed.
    """
    pyramid = Pyramid(body, channels)
    from torchvision.models.detection import RetinaNet

    half = [0.5, 0.5, 0.5]
    settings = {"min_size": side, "max_size": side, "image_mean": half, "image_std": half} | options
    return RetinaNet(pyramid, classes, anchor_generator=anchors(smallest), **settings)


def anchor_boxes(side: int | tuple[int, int], smallest: float = 32) -> dict[str, Tensor]:
    """List every anchor of an image of ``side`` (or height and width) by level: ``(cells * 9, 4)`` boxes in pixels.

    The image counts with the margin that torchvision adds to fill the last cell of P5.
    """
    from torchvision.models.detection.image_list import ImageList

    height, width = (-(-length // 32) * 32 for length in ((side, side) if isinstance(side, int) else side))
    generator = anchors(smallest)
    maps = [torch.zeros(1, 1, -(-height // stride), -(-width // stride)) for stride in LEVELS.values()]
    boxes = generator(ImageList(torch.zeros(1, 3, height, width), [(height, width)]), maps)[0]
    counts = [9 * m.shape[-2] * m.shape[-1] for m in maps]
    return dict(zip(LEVELS, boxes.split(counts), strict=True))


def focal_loss(p_true: Tensor, gamma: float = 2.0, weight: float = 1.0) -> Tensor:
    """Focal loss by the probability that a prediction gives to the truth.

    ``gamma=0`` is cross-entropy; ``weight`` is α for an object and 1 - α for
    background. Lin et al. (2017), Eqs. 4-5.
    """
    return -weight * (1 - p_true) ** gamma * torch.log(p_true)


@torch.no_grad()
def landed(model: RetinaNet, images: list[Tensor], targets: list[dict[str, Tensor]]) -> Tensor:
    """Best overlap (IoU) of every true box with a detection of its class; 0 where there is none.

    Of each image only the detections with the highest scores count, as many as it has true boxes, so that a detector
    cannot gain by guessing everywhere.
    """
    from torchvision.ops import box_iou

    model.eval()
    overlaps = []
    for found, target in zip(model(images), targets, strict=True):
        top = found["scores"].argsort(descending=True)[: len(target["boxes"])]
        iou = box_iou(target["boxes"], found["boxes"][top])
        iou = iou * (target["labels"][:, None] == found["labels"][top])
        overlaps.append(iou.max(1).values if len(top) else torch.zeros(len(target["boxes"])))
    return torch.cat(overlaps)


@torch.no_grad()
def answers(model: RetinaNet, images: list[Tensor], targets: list[dict[str, Tensor]]) -> tuple[Tensor, Tensor]:
    """Probability of the truth in every answer of the classifier: where it is "object", and where it is "background".

    One answer is one anchor and one class, as focal loss counts them; anchors that training ignores are left out.

    Returns
    -------
    objects : Tensor
        ``(M,)``: at each anchor that counts as an object, the probability of its class.
    background : Tensor
        ``(N,)``: one minus the probability of each other class there, and of every class at background anchors.
    """
    from torchvision.models.detection._utils import Matcher
    from torchvision.ops import box_iou

    model.eval()
    seen, boxes = model.transform(images, targets)
    levels = list(model.backbone(seen.tensors).values())
    probabilities = model.head(levels)["cls_logits"].sigmoid()
    objects, background = [], []
    for p, grid, target in zip(probabilities, model.anchor_generator(seen, levels), boxes, strict=True):
        matched = model.proposal_matcher(box_iou(target["boxes"], grid))
        is_object = matched >= 0
        truth = torch.zeros_like(p, dtype=torch.bool)
        truth[is_object, target["labels"][matched[is_object]]] = True
        counted = (matched != Matcher.BETWEEN_THRESHOLDS)[:, None]
        objects.append(p[truth])
        background.append((1 - p)[counted & ~truth])
    return torch.cat(objects), torch.cat(background)
