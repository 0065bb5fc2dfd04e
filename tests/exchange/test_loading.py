"""Networks that timm and transformers saved, loaded here: equal logits, and refusals where they would not be."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
import torch

from bitdoc import exchange
from bitdoc.exchange import layouts, tensorfile
from bitdoc.exchange.passport import Passport
from bitdoc.network import weights
from bitdoc.network.norms import StdConv2d
from bitdoc.network.resnet import build
from bitdoc.network.weights import WeightsError

PASSPORT = Passport("R14x0.25", tuple("abcde"), 32, "bicubic", {"steps": 5}, "MIT", "BiT-T-R26x0.5")


def randomized(model: torch.nn.Module) -> torch.nn.Module:
    """Random weights of another network that all differ: filters of spread 0.05, norms about 1 and 0, a real head."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.normal_(1.0 if "norm" in name and name.endswith("weight") else 0.02, 0.2 if value.ndim == 1 else 0.05)
    return model.eval()


def timms(classes: int = 5) -> torch.nn.Module:
    """timm's own network, with one block a stage and a quarter of the channels."""
    resnetv2 = pytest.importorskip("timm.models.resnetv2")
    return randomized(
        resnetv2.ResNetV2(
            (1, 1, 1, 1),
            num_classes=classes,
            width_factor=0.25,
            stem_type="fixed",
            conv_layer=partial(resnetv2.StdConv2d, eps=1e-8),
            norm_layer=partial(resnetv2.GroupNormAct, num_groups=8),
        )
    )


def transformers_network(kind: str = "BitForImageClassification", **changes) -> torch.nn.Module:
    """transformers' own network of the same size."""
    transformers = pytest.importorskip("transformers")
    settings = {"embedding_size": 16, "hidden_sizes": [64, 128, 256, 512], "depths": [1, 1, 1, 1], "num_groups": 8}
    labels = {n: f"class {n}" for n in range(5)}
    config = transformers.BitConfig(**settings | {"id2label": labels} | changes)
    return randomized(getattr(transformers, kind)(config))


@torch.no_grad()
def logits(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    found = model(x)
    found = found if isinstance(found, torch.Tensor) else found.logits if "logits" in found else found.pooler_output
    return found.flatten(1)


def assert_equal(theirs: torch.nn.Module, ours: torch.nn.Module, at_most: float) -> None:
    x = torch.rand(2, 3, 40, 32, dtype=next(ours.parameters()).dtype) * 2 - 1
    expected = logits(theirs, x)
    assert expected.std() > 0.05
    assert (logits(ours, x) - expected).abs().max() <= at_most * expected.abs().max()


def test_a_file_of_timm(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    theirs = timms()
    safetensors.save_file(theirs.state_dict(), tmp_path / "model.safetensors", {"num_groups": "8"})
    ours, passport = exchange.load(tmp_path / "model.safetensors")
    assert (ours.arch.name, ours.classes, passport.arch, passport.classes) == ("R14x0.25", 5, "R14x0.25", ())
    assert_equal(theirs, ours, 1e-4)


def test_a_checkpoint_of_timms_training(tmp_path):
    theirs = timms()
    state = {f"module.{name}": value for name, value in theirs.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "last.pth.tar")
    with pytest.raises(WeightsError, match="narrower than x1 and does not say how many groups"):
        exchange.load(tmp_path / "last.pth.tar")
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(json.dumps({"num_groups": 8}))
    assert_equal(theirs, exchange.load(tmp_path)[0], 1e-4)


@pytest.mark.parametrize("kind", ["BitForImageClassification", "BitModel"])
def test_a_folder_of_transformers(kind, tmp_path):
    theirs = transformers_network(kind)
    theirs.save_pretrained(tmp_path)
    pytest.importorskip("transformers").BitImageProcessor(size={"shortest_edge": 448}, resample=2).save_pretrained(
        tmp_path
    )
    ours, passport = exchange.load(tmp_path)
    assert ours.classes == (0 if kind == "BitModel" else 5)
    assert passport.classes == (() if kind == "BitModel" else tuple(f"class {n}" for n in range(5)))
    assert (passport.side, passport.interpolation) == (448, "bilinear")
    assert_equal(theirs, ours, 1e-4)


def test_with_their_epsilon_the_outputs_are_theirs_to_the_last_digits(tmp_path, capsys):
    """Filters of spread 1e-4, which the two epsilons make differently long; then, in float64, the same."""
    theirs = timms()
    with torch.no_grad():
        for number, (name, value) in enumerate(theirs.named_parameters()):
            if value.ndim == 4 and "head" not in name:
                value *= (3e-3, 1.0)[number % 2]
    tensorfile.write(tmp_path / "model.safetensors", theirs.state_dict(), {"num_groups": "8"})
    plain, _ = exchange.load(tmp_path / "model.safetensors")
    assert "trained in timm, load it with epsilon=1e-8" in capsys.readouterr().err
    with pytest.raises(AssertionError):
        assert_equal(theirs, plain, 1e-4)
    exact, _ = exchange.load(tmp_path / "model.safetensors", epsilon=1e-8)
    assert capsys.readouterr().err == ""
    assert_equal(theirs, exact, 1e-4)
    assert_equal(theirs.double(), exact.double(), 2e-7)  # a tenth of a float32 is rounded


def test_the_gap_is_that_of_the_smallest_filter():
    model = build("R14x0.125", 3)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, StdConv2d):
                module.weight.normal_(0.0, 0.1)
        model.root.conv.weight[0] *= 1e-4 / model.root.conv.weight[0].std(correction=0)
        model.root.conv.weight[1] = 0.5  # constant: standardized to zero with any epsilon
    assert layouts.epsilon_gap(model) == pytest.approx((2e-8 / 1.01e-8) ** 0.5 - 1, rel=1e-4)


def test_what_is_saved_here_is_loaded_with_its_passport(tmp_path, randomize):
    model = randomize(build("R14x0.25", 5)).eval()
    exchange.save(model, tmp_path / "network.safetensors", PASSPORT)
    found, passport = exchange.load(tmp_path / "network.safetensors")
    assert passport == PASSPORT
    assert not found.training and all(p.requires_grad for p in found.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], value)


def test_a_hash_that_was_taken_out_is_missed(tmp_path, tiny):
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(layouts.state(tiny, "bitdoc"), tmp_path / "x.safetensors", Passport("R14x0.125").header())
    with pytest.raises(WeightsError, match="was written by bitdoc and has lost its SHA-256"):
        exchange.load(tmp_path / "x.safetensors")


def test_the_shipped_network_comes_with_its_license():
    model, passport = exchange.load("BiT-T-R26x0.5")
    assert (model.arch.name, passport.arch, passport.license) == ("R26x0.5", "R26x0.5", "MIT")
    assert passport.origin == "BiT-T-R26x0.5"
    assert Passport.of("BiT-M-R50x1").license == "Apache-2.0"


def test_the_authors_file_by_path(tmp_path, tiny):
    weights.save(tiny, tmp_path / "other.npz")
    x = torch.rand(1, 3, 32, 32)
    found, passport = exchange.load(tmp_path / "other.npz")
    assert torch.equal(logits(found, x), logits(tiny, x)) and passport.arch == "R14x0.125"


@pytest.mark.parametrize("layout", layouts.LAYOUTS)
def test_every_name_has_its_place_and_its_way_back(layout, tiny):
    tensors = layouts.state(tiny, layout)
    assert len(tensors) == len(tiny.state_dict())
    assert layouts.guess(tensors, "") == layout
    back = layouts.network(tensors, layout, "it")
    assert all(torch.equal(back.state_dict()[name], value) for name, value in tiny.state_dict().items())


def test_only_bits_own_networks_are_exported():
    for options in ({"norm_kind": "batch"}, {"standardized": False}):
        with pytest.raises(WeightsError, match="with group norm and weight standardization"):
            layouts.state(build("R14x0.125", 2, **options), "timm")


def broken(tiny, layout, change) -> dict[str, torch.Tensor]:
    tensors = {name: value.clone() for name, value in layouts.state(tiny, layout).items()}
    change(tensors)
    return tensors


@pytest.mark.parametrize(
    ("layout", "change", "part"),
    [
        ("timm", lambda t: t.pop("norm.bias"), "does not fit R14x0.125: it lacks norm.bias"),
        ("bitdoc", lambda t: t.update(extra=torch.ones(1)), "has, unexpected, extra"),
        ("timm", lambda t: t.update({"norm.bias": torch.ones(3)}), "has of another shape norm.bias"),
        ("transformers", lambda t: t["classifier.1.bias"].fill_(np.inf), "not finite in classifier.1.bias"),
        ("timm", lambda t: t.pop("stem.conv.weight"), "is no BiT network of bitdoc's, timm's or transformers'"),
        (
            "timm",
            lambda t: t.update({"stages.0.blocks.1.conv1.weight": torch.ones(1)}),
            r"stages of \(2, 1, 1, 1\) blocks; bitdoc knows R14, R26",
        ),
    ],
)
def test_what_does_not_fit_is_told(layout, change, part, tiny):
    tensors = broken(tiny, layout, change)
    with pytest.raises(WeightsError, match=part) as error:
        layouts.network(tensors, layouts.guess(tensors, "x.safetensors"), "x.safetensors")
    assert "\n" not in str(error.value) and "x.safetensors" in str(error.value)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"layer_type": "bottleneck"}, "has layer_type='bottleneck'; BiT's is 'preactivation'"),
        ({"global_padding": "SAME"}, "has global_padding='SAME'; BiT's is None"),
        ({"num_groups": 4}, "has 4 groups in its norms; a R14x0.25 of BiT has 8"),
    ],
)
def test_what_shapes_do_not_show_is_read_in_the_configuration(change, part, tmp_path):
    transformers_network(**change).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=part):
        exchange.load(tmp_path)


def test_a_pickle_is_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return (print, ("harm",))

    torch.save({"root.conv.weight": Harm()}, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match="holds more than tensors"):
        exchange.load(tmp_path / "x.pt")
    (tmp_path / "x.pt").write_bytes(b"PK\x03\x04" + b"\0" * 50)
    with pytest.raises(WeightsError, match=r"is damaged, or no file of PyTorch's"):
        exchange.load(tmp_path / "x.pt")


def test_a_passport_that_does_not_fit_is_refused(tmp_path, tiny):
    tensors = layouts.state(tiny, "bitdoc")
    tensorfile.write(tmp_path / "x.safetensors", tensors, PASSPORT.header())
    with pytest.raises(WeightsError, match=r"8 groups in its norms; a R14x0.125 of BiT has 4"):
        exchange.load(tmp_path / "x.safetensors")
    tensorfile.write(tmp_path / "x.safetensors", tensors, Passport("R14x0.125", ("a", "b")).header())
    with pytest.raises(WeightsError, match=r"with 2 classes; its tensors are of R14x0.125 with 5"):
        exchange.load(tmp_path / "x.safetensors")
    header = Passport("R14x0.125").header() | {"recipe": "no json"}
    tensorfile.write(tmp_path / "x.safetensors", tensors, header)
    with pytest.raises(WeightsError, match="its header is not what bitdoc writes"):
        exchange.load(tmp_path / "x.safetensors")


def test_nothing_of_that_name(tmp_path):
    with pytest.raises(WeightsError, match="expected a name such as BiT-M-R50x1, a file, a folder, or a repository"):
        exchange.load("no-such-thing")
    with pytest.raises(WeightsError, match=r"no weights in the folder .*; expected model.safetensors or pyt"):
        exchange.load(tmp_path)
