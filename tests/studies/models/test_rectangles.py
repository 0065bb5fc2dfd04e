"""The synthetic detection task, and a short training that must lower the loss and land the boxes."""

import pytest
import torch

from bitdoc.records import runs
from bitdoc.studies.models import rectangles

pytest.importorskip("torchvision")


def test_rectangles_are_inside_the_image_bright_and_labeled_by_shape():
    images, targets = rectangles.draw(50, 128, torch.Generator().manual_seed(1))
    labels, counts = set(), set()
    for image, target in zip(images, targets, strict=True):
        counts.add(len(target["labels"]))
        for (x1, y1, x2, y2), label in zip(target["boxes"].int().tolist(), target["labels"].tolist(), strict=True):
            assert 0 <= x1 < x2 <= 128 and 0 <= y1 < y2 <= 128
            assert image[:, y1:y2, x1:x2].mean() > 0.35 > 0.25 > image.mean(0).min()
            assert (x2 - x1 > y2 - y1) == bool(label)
            labels.add(label)
    assert labels == {0, 1} and counts == {1, 2, 3, 4}


def test_rectangles_never_overlap():
    from torchvision.ops import box_iou

    for target in rectangles.draw(50, 128, torch.Generator().manual_seed(2))[1]:
        assert box_iou(target["boxes"], target["boxes"]).fill_diagonal_(0).max() == 0


@pytest.mark.slow
def test_short_training_lowers_the_loss_and_finds_some_boxes():
    record = rectangles.measure(steps=100)
    total = [sum(losses) for losses in zip(*(v for name, v in record.curve.items() if name != "step"), strict=True)]
    assert sum(total[-10:]) < 0.7 * sum(total[:10])
    before, after = (torch.tensor(record.result[when]) for when in ("before", "after"))
    assert len(after) == sum(len(target["labels"]) for target in rectangles.held_out()[1])
    # Rounding alone, which differs between processors, moves these by 0.1.
    assert before.mean() < 0.1 and after.mean() > 0.12


def test_answers_are_counted_by_their_sureness():
    counts = rectangles.sureness(torch.tensor([0.5001, 0.5001, 0.9999, 1e-12]))
    middle = rectangles.BINS // 2
    assert (sum(counts), counts[middle], counts[-1], counts[0]) == (4, 2, 0, 1)
    assert sum(counts[middle + 1 :]) == 1


def test_the_record_survives_the_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    record = rectangles.measure(steps=2)
    again = runs.read(runs.write(record))
    assert again.curve["step"] == [1, 2] and len(again.curve["classification"]) == 2
    assert len(again.result["found"]) == 6
    assert sum(again.result["background"]) > 100 * sum(again.result["objects"]) > 0
