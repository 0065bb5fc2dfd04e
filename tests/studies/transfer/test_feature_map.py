"""The feature map: components and affinities against scikit-learn, alignment, neighbors, and one whole run."""

import pytest
import torch

from bitdoc.data import DataError, Images
from bitdoc.records import runs
from bitdoc.studies.transfer import feature_map
from bitdoc.training.finetune import Recipe, Task

MODEL = "BiT-T-R26x0.5"  # ships with the package


def test_project_is_the_principal_components_of_scikit_learn():
    pca = pytest.importorskip("sklearn.decomposition").PCA(2)
    points = torch.randn(40, 7) @ torch.randn(7, 7)
    theirs = torch.tensor(pca.fit_transform(points.double().numpy()))
    theirs = theirs / theirs[:, 0].std()
    torch.testing.assert_close(feature_map.project(points).double().abs(), theirs.abs(), rtol=1e-3, atol=1e-3)


def test_every_point_has_as_many_neighbors_as_the_perplexity_asks():
    sklearn = pytest.importorskip("sklearn.manifold._t_sne")
    points = torch.randn(60, 5, dtype=torch.float64)
    squares = torch.cdist(points, points).square().float().numpy()
    theirs = torch.tensor(sklearn.squareform(sklearn._joint_probabilities(squares, 12.0, verbose=0)))
    mine = feature_map._affinities(points, 12.0)
    assert mine.sum().item() == pytest.approx(1)
    torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-6)


def test_a_map_keeps_neighbors_and_makes_none_up():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(6).repeat_interleave(20)
    centers = 4 * torch.randn(6, 30, generator=generator)
    clusters = centers[labels] + torch.randn(120, 30, generator=generator)
    for points, low, high in ((clusters, 99, 100), (torch.randn(120, 30, generator=generator), 0, 40)):
        flat = feature_map.neighbour_map(points)
        assert flat.isfinite().all() and flat.std().item() == pytest.approx(1, abs=0.01)
        distance = torch.cdist(flat, flat).fill_diagonal_(torch.inf)
        agree = 100 * (labels[distance.argmin(1)] == labels).float().mean().item()
        assert low <= agree <= high
        torch.testing.assert_close(feature_map.neighbour_map(points), flat)


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


def test_a_record_holds_three_maps_and_survives_the_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("BITDOC_RESULTS", str(tmp_path))
    labels = torch.arange(3).repeat_interleave(8)
    pixels = (80 * labels[:, None, None, None] + torch.randint(0, 60, (24, 3, 16, 16))).byte()
    images = Images("toy", "train", "made up", ("a", "b", "c"), labels, pixels)
    task = Task.choose(images, images, 4)
    recipe = Recipe(20, 16, (2, 4, 6, 8, 10), batch=6, base_lr=0.01)
    record = feature_map.measure(MODEL, task, recipe, judged=7, drawn=5)
    again = runs.read(runs.write(record))
    assert again.result["labels"] == [0] * 5 + [1] * 5 + [2] * 5
    assert all(len(again.result[when]) == 15 and len(again.result[when][0]) == 2 for when in feature_map.WHEN)
    assert len({str(again.result[when]) for when in feature_map.WHEN}) == 3
    assert again.setting["judged"] == 7 and again.setting["test_images"] == 21
    assert again.setting["classes"] == ["a", "b", "c"]
    assert list(again.result["agreement"]) == sorted(feature_map.WHEN)
    assert all(0 <= share <= 100 for share in again.result["agreement"].values())
    assert runs.path_of(feature_map.EXPERIMENT, f"{MODEL}_4").stat().st_size < 20_000


#: What the command refuses before anything is read: flags, and what one line says.
REFUSED = [
    (["--model", "R26x0.5"], "has random weights"),
    (["--model", "BiT-L-R50x1"], "was never released"),
    (["--shots", "5001"], "a class of cifar10 has 5,000"),
    (["--shots", "0"], "a whole number of 1 or more"),
    (["--steps", "-5"], "a whole number of 1 or more"),
    (["--bit_pretrained_dir", "nowhere"], "no folder nowhere"),
    (["--precision", "float8"], "invalid choice"),
]


@pytest.mark.parametrize(("flags", "message"), REFUSED)
def test_the_command_ends_as_all_do(monkeypatch, capsys, flags, message):
    monkeypatch.setattr(feature_map.data, "load", lambda *_: pytest.fail("data were read"))
    assert feature_map.main(flags) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and message in said.err and said.err.count("\n") == 1 and not said.out


def test_data_that_are_not_there_are_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(feature_map.data, "load", lambda *_: data_error())
    assert feature_map.main(["--datadir", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "error: nothing here\n"


def data_error():
    raise DataError("nothing here")
