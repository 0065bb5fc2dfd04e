"""The age of a run: what is computed counts, where it stands and how it is worded does not."""

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

import bitdoc
from bitdoc.records import age
from bitdoc.records.age import PACKAGE, CodeError, code_digest, code_version

LOOP, NORMS, ENGINE = "training/loop.py", "network/norms.py", "training/engine.py"


@pytest.fixture
def house(tmp_path) -> Path:
    """A copy of the package's code that a test may change."""
    data = shutil.ignore_patterns("results", "*.npz", "*.png")
    return Path(shutil.copytree(PACKAGE, tmp_path / "bitdoc", ignore=data))


def change(house: Path, file: str, old: str, new: str) -> None:
    path = house / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{file} no longer says {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_copy_has_the_same_age(house):
    assert code_digest(house) == code_digest()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (NORMS, "WS_EPS = 1e-10", "WS_EPS = 1e-8"),
        (LOOP, "div_(127.5)", "div_(128)"),
        (LOOP, "rng) < 0.5", "rng) < 0.4"),
        ("data/images.py", "antialias=True", "antialias=False"),
        ("data/datasets.py", 'f"{seed}/{label}/{i}"', 'f"{seed}/{i}"'),
        ("training/hyperrule.py", "20_000", "30_000"),
        ("training/mixup.py", "alpha + 1", "alpha + 2"),
        ("training/recipe.py", "(1 / 3, 2 / 3, 8 / 9)", "(1 / 3, 2 / 3, 7 / 9)"),
        ("network/widen.py", "correction=0", "correction=1"),
        ("network/resnet.py", "stride", "stride_"),
    ],
)
def test_a_changed_constant_or_operation_ages_a_run(house, file, old, new):
    change(house, file, old, new)
    assert code_digest(house) != code_digest()


def test_words_and_layout_do_not(house):
    change(house, LOOP, "def to_float(", "# a comment\n\n\ndef to_float(")
    change(house, LOOP, "Scale uint8 pixels to [-1, 1]", "Bring uint8 pixels to [-1, 1]")
    change(house, LOOP, "nothing to evaluate: the test set is empty", "there is nothing to evaluate")
    assert code_digest(house) == code_digest()


def test_a_moved_module_and_another_import_do_not(house):
    (house / "training" / "deep").mkdir()
    (house / "training" / "deep" / "__init__.py").write_text("")
    (house / ENGINE).rename(house / "training" / "deep" / "machine.py")
    for path in house.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("bitdoc.training.engine", "bitdoc.training.deep.machine"), encoding="utf-8")
    change(
        house, LOOP, "from bitdoc.training.mixup import draw_lambda, mix", "from bitdoc.training import mixup as blend"
    )
    change(house, LOOP, "draw_lambda(alpha, rng)", "blend.draw_lambda(alpha, rng)")
    change(house, LOOP, "mix(x, lam, partner)", "blend.mix(x, lam, partner)")
    assert code_digest(house) == code_digest()


def test_code_that_decides_nothing_does_not(house):
    change(house, "records/files.py", "_CHUNK = 1 << 20", "_CHUNK = 1 << 19")
    change(house, "figures/style.py", "import", "import  ")
    assert code_digest(house) == code_digest()


def test_a_root_that_is_gone_is_named(house):
    change(house, LOOP, "def evaluate(", "def judge(")
    with pytest.raises(CodeError, match="no definition of 'evaluate' in data, network, training"):
        code_digest(house)


def test_outside_a_checkout_there_is_no_commit(monkeypatch):
    def no_git(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", no_git)
    monkeypatch.setattr(age, "_commit", age._commit.__wrapped__)  # not the one that was looked up before
    assert code_version() == {"commit": None, "digest": code_digest()}
    assert bitdoc.__version__


def test_the_commit_is_the_one_that_was_loaded(monkeypatch):
    """Whoever commits while a sweep goes on changes no record of it."""
    before = code_version()
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("git was asked once more"))
    assert code_version() == before


def test_the_digest_is_alike_in_every_version_of_python(house, monkeypatch):
    """Python 3.12 gave functions and classes one more field, a list that is empty in this package."""
    before = age.fingerprint(house)
    for kind in (ast.FunctionDef, ast.ClassDef):
        fields = tuple(name for name in kind._fields if name != "type_params")
        monkeypatch.setattr(kind, "_fields", (*fields, "type_params"))
        monkeypatch.setattr(kind, "type_params", [], raising=False)
    assert age.fingerprint(house) == before


def test_what_was_rewritten_goes_by_the_older_digest_and_nothing_else_does(house):
    """An entry that is not of the code as it is now is void and has to go, or its key has to be renewed."""
    assert list(age.SAME) == [age.fingerprint()]
    assert code_digest() == age.SAME[age.fingerprint()]
    change(house, "network/widen.py", "correction=0", "correction=1")
    assert code_digest(house) == age.fingerprint(house) not in age.SAME.values()
