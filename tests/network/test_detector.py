"""The detector: shapes, anchors and focal loss, compared with torchvision and with the RetinaNet paper."""

import sys

import pytest
import torch

from bitdoc.network import detector, resnet

torchvision = pytest.importorskip("torchvision")


def tiny_body() -> resnet.ResNetV2:
    torch.manual_seed(0)
    return resnet.build("R14x0.25", classes=0)


def test_importing_the_module_does_not_import_torchvision():
    import subprocess

    code = "import sys, bitdoc.network.detector; sys.exit('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pyramid_has_five_levels_at_the_strides_of_the_paper():
    pyramid = detector.Pyramid(tiny_body(), channels=32)
    levels = pyramid(torch.zeros(2, 3, 128, 128))
    assert {name: tuple(level.shape) for name, level in levels.items()} == {
        "P3": (2, 32, 16, 16),
        "P4": (2, 32, 8, 8),
        "P5": (2, 32, 4, 4),
        "P6": (2, 32, 2, 2),
        "P7": (2, 32, 1, 1),
    }


def test_bottom_up_reads_each_stage_as_the_next_stage_does():
    """C3 must be what the first 1x1 convolution of the next stage gets, and C5 what the pooled features average."""
    body = tiny_body()
    seen = []
    body.stages[2][0].conv_a.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    x = torch.randn(1, 3, 64, 64)
    features = body.features(x)
    maps = detector.Pyramid(body, 16).bottom_up(x)
    torch.testing.assert_close(maps["C3"], seen[0])
    torch.testing.assert_close(maps["C5"].mean((2, 3)), features)


@pytest.mark.parametrize("side", [64, 96, 100])
def test_anchor_list_is_the_one_the_detector_uses(side):
    model = detector.retinanet(tiny_body(), 2, side=side, channels=16).eval()
    seen = []
    model.anchor_generator.register_forward_hook(lambda module, args, output: seen.append(output[0]))
    with torch.no_grad():
        model([torch.rand(3, side, side)])
    torch.testing.assert_close(torch.cat(list(detector.anchor_boxes(side).values())), seen[0])


def test_anchors_have_the_sizes_and_shapes_of_the_paper():
    boxes = detector.anchor_boxes(1024)
    assert {name: len(level) for name, level in boxes.items()} == {
        name: 9 * (1024 // stride) ** 2 for name, stride in detector.LEVELS.items()
    }
    size = {name: (level[:, 2:] - level[:, :2])[:9] for name, level in boxes.items()}
    sides = size["P3"].prod(1).sqrt()
    assert sides.min() == pytest.approx(32, abs=1) and sides.max() == pytest.approx(32 * 2 ** (2 / 3), abs=1)
    # Lin et al. (2017): the scales cover 32 to 813 pixels.
    assert size["P7"].prod(1).sqrt().max() == pytest.approx(813, abs=1.5)
    ratios = size["P7"][:, 1] / size["P7"][:, 0]
    assert sorted({round(float(ratio), 1) for ratio in ratios}) == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_focal_loss_is_torchvisions(gamma):
    from torchvision.ops import sigmoid_focal_loss

    logits = torch.linspace(-4, 4, 9)
    for target, weight in ((1.0, 0.25), (0.0, 0.75)):
        p_true = torch.sigmoid(logits if target else -logits)
        expected = sigmoid_focal_loss(logits, torch.full_like(logits, target), alpha=0.25, gamma=gamma)
        torch.testing.assert_close(detector.focal_loss(p_true, gamma, weight), expected)


def test_focal_loss_keeps_the_promise_of_the_paper():
    """At gamma 2 a prediction with p = 0.9 weighs 100 times less than in cross-entropy, one with p = 0.968 1000 "
    "times."""
    p = torch.tensor([0.5, 0.9, 0.968])
    ratio = detector.focal_loss(p, 0.0) / detector.focal_loss(p, 2.0)
    torch.testing.assert_close(ratio, torch.tensor([4.0, 100.0, 1000.0]), rtol=0.03, atol=0)


def test_new_detector_calls_almost_nothing_an_object():
    """The last bias is set so that every anchor starts at a probability of 0.01 (Sec. 3.3 of the RetinaNet paper)."""
    model = detector.retinanet(tiny_body(), 3, side=64, channels=16).eval()
    with torch.no_grad():
        logits = model.head(list(model.backbone(torch.randn(1, 3, 64, 64)).values()))["cls_logits"]
    torch.testing.assert_close(logits.sigmoid(), torch.full_like(logits, 0.01), atol=0.002, rtol=0)


def test_images_reach_the_backbone_in_the_range_of_bit():
    model = detector.retinanet(tiny_body(), 2, side=64, channels=16).eval()
    images, _ = model.transform([torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1).expand(3, 64, 64)])
    torch.testing.assert_close(images.tensors[0, :, 0, 0], torch.tensor([-1.0, 0.0, 1.0]))


def test_a_missing_torchvision_gets_one_clear_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ImportError, match="pip install torchvision"):
        detector.retinanet(tiny_body(), 2)


def test_landed_scores_a_perfect_a_wrong_and_a_silent_detector():
    target = {"boxes": torch.tensor([[0.0, 0, 10, 10]]), "labels": torch.tensor([1])}

    class Fake(torch.nn.Module):
        def __init__(self, boxes, labels):
            super().__init__()
            self.answer = {
                "boxes": torch.tensor(boxes).view(-1, 4),
                "labels": torch.tensor(labels, dtype=torch.long),
                "scores": torch.ones(len(labels)),
            }

        def forward(self, images):
            return [self.answer]

    image = [torch.zeros(3, 16, 16)]
    assert detector.landed(Fake([[0.0, 0, 10, 10]], [1]), image, [target]).tolist() == [1.0]
    assert detector.landed(Fake([[0.0, 0, 10, 5]], [1]), image, [target]).tolist() == [0.5]
    assert detector.landed(Fake([[0.0, 0, 10, 10]], [0]), image, [target]).tolist() == [0.0]
    assert detector.landed(Fake([], []), image, [target]).tolist() == [0.0]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([-1], "labels from -1 to -1, expected 0 to 2; background has no boxes"),
        ([0, -2], "labels from -2 to 0, expected 0 to 2"),
        ([3], "labels from 3 to 3, expected 0 to 2"),
        ([1, 99], "labels from 1 to 99, expected 0 to 2"),
        ([1.0], "torch.float32 labels for 1 boxes; expected one int64 label a box"),
        ([True], "torch.bool labels for 1 boxes"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_labels_that_are_no_classes_are_refused(labels, told, named):
    model = detector.retinanet(tiny_body(), 3, side=64, channels=16)
    boxes = torch.tensor([[0.0, 0, 20, 20]]).repeat(len(labels), 1)
    targets = [{"boxes": boxes, "labels": torch.tensor(labels)}]
    images = [torch.rand(3, 64, 64)]
    with pytest.raises(ValueError, match=told):
        model(images, targets=targets) if named else model(images, targets)
    with pytest.raises(ValueError, match=told):
        detector.answers(model, images, targets)
    with pytest.raises(ValueError, match=r"\(2,\) torch.int64 labels for 1 boxes"):
        model(images, [{"boxes": boxes[:1], "labels": torch.tensor([0, 1])}])


@pytest.mark.parametrize("labels", [[0], [2], [0, 1, 2], []])
def test_labels_that_are_classes_are_taken(labels):
    model = detector.retinanet(tiny_body(), 3, side=64, channels=16)
    boxes = torch.tensor([[0.0, 0, 20, 20]]).repeat(len(labels), 1).view(-1, 4)
    targets = [{"boxes": boxes, "labels": torch.tensor(labels, dtype=torch.int64)}]
    assert all(torch.isfinite(loss) for loss in model([torch.rand(3, 64, 64)], targets).values())


def test_answers_are_those_that_training_counts():
    """One object: at its anchors the probability of its class; all other answers say background, ignored ones none."""
    model = detector.retinanet(tiny_body(), 3, side=64, smallest=16, channels=16)
    images = [torch.rand(3, 64, 64)]
    targets = [{"boxes": torch.tensor([[8.0, 8, 40, 24]]), "labels": torch.tensor([1])}]
    objects, background = detector.answers(model, images, targets)
    boxes = torch.cat(list(detector.anchor_boxes(64, 16).values()))
    overlap = torchvision.ops.box_iou(targets[0]["boxes"], boxes)[0]
    best = overlap == overlap.max()
    found, ignored = ((overlap >= 0.5) | best).sum(), ((overlap >= 0.4) & (overlap < 0.5) & ~best).sum()
    assert len(objects) == found > 0
    assert len(background) == 3 * (len(boxes) - ignored) - found
    # A new detector says "object" with a probability of 0.01, whatever the class.
    torch.testing.assert_close(objects, torch.full_like(objects, 0.01), atol=0.002, rtol=0)
    torch.testing.assert_close(background, torch.full_like(background, 0.99), atol=0.002, rtol=0)
