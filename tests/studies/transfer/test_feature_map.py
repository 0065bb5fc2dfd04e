"""The feature map: principal components against scikit-learn, alignment, neighbours, and one whole run."""

import pytest
import torch

from bitdoc.data import Images
from bitdoc.records import runs
from bitdoc.studies.transfer import feature_map
from bitdoc.training.finetune import Recipe, Task


def test_project_is_the_principal_components_of_scikit_learn():
    pca = pytest.importorskip("sklearn.decomposition").PCA(2)
    points = torch.randn(40, 7) @ torch.randn(7, 7)
    mine, kept = feature_map.project(points)
    theirs = torch.tensor(pca.fit_transform(points.double().numpy()))
    scale = (points - points.mean(0)).square().sum(1).mean().sqrt()
    torch.testing.assert_close(mine.double().abs() * scale, theirs.abs(), rtol=1e-3, atol=1e-3)
    assert kept == pytest.approx(pca.explained_variance_ratio_.sum(), abs=1e-4)


def test_turned_onto_undoes_a_rotation_and_a_mirror():
    points = torch.randn(30, 2)
    angle = torch.tensor(2.1)
    rotation = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    mirror = torch.diag(torch.tensor([1.0, -1.0]))
    torch.testing.assert_close(feature_map.turned_onto(points @ rotation @ mirror, points), points, atol=1e-5, rtol=0)


def test_neighbour_agreement_of_clean_and_of_mixed_clusters():
    clusters = torch.tensor([[5.0, 0.0], [5.0, 0.1], [-5.0, 0.0], [-5.0, 0.1]])
    assert feature_map.neighbour_agreement(clusters, torch.tensor([0, 0, 1, 1])) == 100
    assert feature_map.neighbour_agreement(clusters, torch.tensor([0, 1, 0, 1])) == 0


def test_a_record_holds_both_maps_and_survives_the_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    labels = torch.arange(3).repeat_interleave(8)
    pixels = (80 * labels[:, None, None, None] + torch.randint(0, 60, (24, 3, 16, 16))).byte()
    images = Images("toy", "train", "made up", ("a", "b", "c"), labels, pixels)
    task = Task.choose(images, images, 4)
    record = feature_map.measure(
        "R14x0.125", task, Recipe(20, 16, (2, 4, 6, 8, 10), batch=6, base_lr=0.01), per_class=5
    )
    again = runs.read(runs.write(record))
    assert again.result["labels"] == [0] * 5 + [1] * 5 + [2] * 5
    assert all(len(again.result[when]) == 15 and len(again.result[when][0]) == 2 for when in ("before", "after"))
    assert again.result["before"] != again.result["after"]
    assert again.setting["per_class"] == 5 and again.setting["classes"] == ["a", "b", "c"]
    assert all(0 <= share <= 100 for share in again.result["kept"] + again.result["agreement"])
    assert runs.path_of(feature_map.EXPERIMENT, "R14x0.125").stat().st_size < 20_000
