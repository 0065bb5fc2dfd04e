"""Precision, memory that runs out, and several processes: none of them may change what is learned."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from folders import make_folders
from torch import nn
from torch.nn import functional as F

import bitdoc
from bitdoc.network.resnet import build
from bitdoc.studies.probe import features
from bitdoc.training import finetune, job, loop
from bitdoc.training.checkpoint import load_checkpoint, save_checkpoint
from bitdoc.training.engine import Engine, LowGroupNorm, is_out_of_memory, pick_device, pick_precision
from bitdoc.training.loop import TrainingError
from bitdoc.training.mixup import mixed_cross_entropy


class Cramped(nn.Module):
    """A network whose forward pass raises CUDA's out-of-memory error for more than ``room`` images."""

    def __init__(self, network: nn.Module, room: int):
        super().__init__()
        self.network, self.room, self.refused = network, room, 0

    def forward(self, x):
        if len(x) > self.room:
            self.refused += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.\nMore lines.")
        return self.network(x)


def network():
    torch.manual_seed(0)
    return build("R14x0.25", 4, zero_head=False).double()


def batch_at(step):
    rng = loop.generator("memory", step)
    x = torch.rand(12, 3, 32, 32, generator=rng, dtype=torch.float64)
    return loop.mixed_micro_batches(x, torch.arange(12) % 4, 2, 0.4, rng), 12


def trained(model, engine, steps=3):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9)
    losses = []
    loop.train(
        model,
        optimizer,
        batch_at,
        lambda step: 0.05 if step < steps else None,
        on_step=lambda step, lr, loss: losses.append(loss),
        engine=engine,
    )
    return losses


class TestMemory:
    @pytest.mark.parametrize(("room", "parts"), [(6, 1), (3, 2), (2, 4), (1, 8)])
    def test_the_step_is_repeated_in_smaller_parts_and_nothing_changes(self, room, parts, capsys):
        """Same images, same crops, same λ, same partners: the weights are those of a run with room enough."""
        free, cramped, engine = network(), Cramped(network(), room), Engine()
        losses = trained(free, Engine())
        assert trained(cramped, engine) == pytest.approx(losses, abs=1e-12)
        for a, b in zip(free.parameters(), cramped.network.parameters(), strict=True):
            assert torch.allclose(a, b, atol=1e-10, rtol=0)
        assert engine.parts == parts and cramped.refused == parts.bit_length() - 1
        assert ("the step is repeated with each micro-batch in 8 parts" in capsys.readouterr().out) == (room == 1)

    def test_gradients_of_the_failed_attempt_are_cleared(self):
        """Memory runs out in the second micro-batch, after the first has left its gradients."""

        class Late(Cramped):
            def forward(self, x):
                self.room = 3 if self.refused else 6 - 3 * hasattr(self, "seen")
                self.seen = True
                return super().forward(x)

        late, free = Late(network(), 6), network()
        trained(late, Engine(), steps=1)
        trained(free, Engine(), steps=1)
        assert late.refused == 1
        for a, b in zip(free.parameters(), late.network.parameters(), strict=True):
            assert torch.allclose(a, b, atol=1e-10, rtol=0)

    def test_where_not_one_image_fits_it_says_so(self):
        with pytest.raises(TrainingError, match="out of memory even with one image at a time on cpu .CUDA out of memo"):
            trained(Cramped(network(), 0), Engine())

    def test_other_errors_are_not_taken_for_it(self):
        class Broken(nn.Module):
            def forward(self, x):
                raise RuntimeError("shapes do not match")

        model = nn.Sequential(Broken(), nn.Linear(1, 1))
        with pytest.raises(RuntimeError, match="shapes do not match"):
            trained(model, Engine())
        with pytest.raises(RuntimeError, match="shapes do not match"):
            loop.evaluate(model, [(torch.zeros(2, 3, 4, 4), torch.zeros(2))])

    @pytest.mark.parametrize(
        "error",
        [
            torch.OutOfMemoryError("x"),
            RuntimeError("MPS backend out of memory"),
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            RuntimeError("FIND was unable to find an engine to execute this computation"),
        ],
    )
    def test_errors_of_all_devices(self, error):
        assert is_out_of_memory(error) and not is_out_of_memory(ValueError("no"))
        with pytest.raises(RuntimeError) as caught:
            torch.empty(1 << 60)
        assert is_out_of_memory(caught.value)

    def test_evaluation_goes_on_in_smaller_parts(self):
        images = torch.rand(10, 3, 32, 32, generator=loop.generator(1), dtype=torch.float64)
        batches = [(part, torch.arange(len(part)) % 4) for part in images.split(7)]
        engine = Engine()
        whole = loop.evaluate(network(), batches)
        parts = loop.evaluate(Cramped(network(), 2), batches, engine)
        assert engine.test_parts == 4 and torch.allclose(whole.logits, parts.logits, atol=1e-6)
        assert (whole.top1, whole.top5) == (parts.top1, parts.top5)
        with pytest.raises(TrainingError, match="even with one test image"):
            loop.evaluate(Cramped(network(), 0), batches)

    def test_the_record_says_which_split_was_used(self, tmp_path, monkeypatch):
        task = small_task(tmp_path)
        recipe = finetune.Recipe(resize=20, crop=16, schedule=(1, 2, 2, 2, 2), batch=8, split=2, base_lr=0.01)
        original = job.starting_network
        monkeypatch.setattr(job, "starting_network", lambda *a: (Cramped(original(*a)[0], 2), original(*a)[1]))
        record = finetune.finetune("R14x0.25", task, recipe, experiment="test", run="x", progress=False)[1]
        assert (record.setting["split"], record.setting["split_used"]) == (2, 4)


def small_task(folder):
    if not (folder / "images").exists():
        make_folders(folder / "images", per_class=4)
    sets = [finetune.data.load("folder", split, folder / "images") for split in ("train", "test")]
    return finetune.Task.choose(*sets, examples_per_class=3)


def test_the_loss_of_all_parts_is_the_mixed_cross_entropy():
    logits, labels = torch.randn(6, 5), torch.randint(0, 5, (6,))
    partner = torch.randperm(6)
    whole = mixed_cross_entropy(logits, labels, 0.3, partner)
    rows = torch.arange(6).tensor_split(2)
    parts = [loop._mixed_loss(logits[r], labels[r], labels[partner][r], 0.3) for r in rows]
    assert torch.allclose(sum(parts) / 2, whole)


class TestPrecision:
    def test_choice(self, monkeypatch):
        cpu, cuda = torch.device("cpu"), torch.device("cuda")
        assert pick_precision(cpu) == "float32" and pick_precision(cpu, "bfloat16") == "bfloat16"
        for supported, name in ((True, "bfloat16"), (False, "float16")):
            monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, s=supported: s)
            assert pick_precision(cuda) == name and pick_precision(cuda, "float32") == "float32"
        with pytest.raises(ValueError, match="unknown precision 'half'; choose float32, bfloat16, float16"):
            pick_precision(cpu, "half")

    def test_each_process_takes_its_own_card(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setenv("LOCAL_RANK", "3")
        assert pick_device() == torch.device("cuda", 3) and pick_device("cpu") == torch.device("cpu")

    @pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.08), ("float16", 0.01)])
    def test_low_precision_learns_the_same(self, precision, tolerance):
        """Weights stay in float32, what flows between the layers is small, and the gradients point the same way."""
        x = torch.rand(8, 3, 32, 32, generator=loop.generator(2)) * 2 - 1
        gradients, kinds = [], set()
        for name in ("float32", precision):
            torch.manual_seed(0)
            engine = Engine(precision=name)
            model = engine.place(build("R14x0.25", 4, zero_head=False))
            if name == precision:
                for module in (m for m in model.modules() if isinstance(m, LowGroupNorm)):
                    module.register_forward_hook(lambda m, i, o: kinds.add(o.dtype))
            micro = loop.mixed_micro_batches(x, torch.arange(8) % 4, 2, 0.0, loop.generator(0))
            loop.accumulate(model, micro, 8, engine)
            assert all(p.dtype == p.grad.dtype == torch.float32 for p in model.parameters())
            flat = torch.cat([p.grad.flatten() for p in model.parameters()])
            gradients.append(flat / engine.scaler.get_scale())
        assert kinds == {getattr(torch, precision)}
        cosine = F.cosine_similarity(*gradients, dim=0)
        assert 1 - tolerance < cosine < 1
        assert gradients[1].norm() / gradients[0].norm() == pytest.approx(1, abs=tolerance)

    def test_float16_scales_the_loss_and_skips_a_step_that_overflows(self, tmp_path):
        torch.manual_seed(0)
        engine = Engine(precision="float16")
        model = engine.place(build("R14x0.25", 4))
        before = model.head.weight.clone()
        engine.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)  # so large that float16 gradients overflow
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        loss = trained_on(model, optimizer, engine, 1)
        assert torch.equal(model.head.weight, before) and loss == pytest.approx(1.386, abs=0.01)
        assert engine.scaler.get_scale() == 2.0**39
        save_checkpoint(tmp_path / "x.pt", model, optimizer, 1, {}, engine)
        other = Engine(precision="float16")
        load_checkpoint(tmp_path / "x.pt", model, optimizer, {}, other)
        assert other.scaler.get_scale() == 2.0**39, "a resumed run goes on with the scale it had"
        load_checkpoint(tmp_path / "x.pt", model, optimizer, {}, Engine())

    def test_evaluation_and_probe_in_low_precision(self):
        images = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8)
        exact = loop.evaluate(build_seeded(), [(images, torch.arange(6) % 4)])
        engine = Engine(precision="bfloat16")
        low = loop.evaluate(engine.place(build_seeded()), [(images, torch.arange(6) % 4)], engine)
        assert low.logits.dtype == torch.float32 and not torch.equal(low.logits, exact.logits)
        assert torch.allclose(low.logits, exact.logits, atol=0.1)
        holder = finetune.data.Images("x", "train", "made", ("a",), torch.zeros(6).long(), images)
        assert features(engine.place(build_seeded()), holder, 32, engine).dtype == torch.float32


def build_seeded():
    torch.manual_seed(0)
    return build("R14x0.25", 4, zero_head=False)


def trained_on(model, optimizer, engine, steps):
    losses = []
    x = torch.rand(4, 3, 32, 32, generator=loop.generator(3)) * 2 - 1
    loop.train(
        model,
        optimizer,
        lambda step: (loop.mixed_micro_batches(x, torch.arange(4), 1, 0.0, loop.generator(0)), 4),
        lambda step: 0.1 if step < steps else None,
        on_step=lambda step, lr, loss: losses.append(loss),
        engine=engine,
    )
    return losses[-1]


#: One fine-tuning; every process saves what it ends with, the main one alone keeps the record and the checkpoint.
SCRIPT = """
import sys
from pathlib import Path
import torch
from bitdoc.training import finetune
from bitdoc.records import runs
from test_engine import small_task
torch.set_num_threads(1)
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
recipe = finetune.Recipe(resize=20, crop=16, schedule=(1, 2, 3, 4, 5), batch=7, base_lr=0.05, mixup=0.4)
engine = finetune.Engine.start("cpu")
model, record = finetune.finetune("R14x0.25", small_task(folder), recipe, experiment="test", run="x", engine=engine,
                                  checkpoint=out / "run.pt", progress=False)
torch.save(model.state_dict(), out / f"rank{engine.rank}.pt")
if engine.is_main:
    runs.write(record, out / "run.json")
"""


def launched(folder: Path, out: Path, *launcher: str) -> None:
    """Run :data:`SCRIPT` by ``launcher``, a module of Python."""
    out.mkdir()
    script = folder / "script.py"
    script.write_text(SCRIPT.replace("from test_engine", "from tests.training.test_engine"))
    root = Path(bitdoc.__file__).parents[1]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(root), str(root / "tests"))),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [sys.executable, *launcher, str(script), str(folder), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300, cwd=root)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A folder with images, and the same run by one process in ``alone``."""
    folder = tmp_path_factory.mktemp("processes")
    make_folders(folder / "images", per_class=4)
    launched(folder, folder / "alone")
    return folder


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
# With --multi_gpu it starts a process for each card; where there is no card, the processes still find one another.
ACCELERATE = ("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [TORCHRUN, ACCELERATE], ids=["torchrun", "accelerate"])
def test_two_processes_give_the_result_of_one(alone, launcher):
    """Seven images a step, so that the shares differ; MixUp partners lie in the other process's share."""
    if launcher is ACCELERATE:
        pytest.importorskip("accelerate")
        launcher = (*ACCELERATE, "--main_process_port", "29655", "--mixed_precision", "no", "--dynamo_backend", "no")
    out = alone / launcher[1]
    launched(alone, out, *launcher)
    single = torch.load(alone / "alone" / "rank0.pt")
    for rank in (0, 1):
        shared = torch.load(out / f"rank{rank}.pt")
        assert all(torch.allclose(single[key], shared[key], atol=1e-5, rtol=0) for key in single), rank
    one, two = (finetune.runs.read(path / "run.json") for path in (alone / "alone", out))
    assert (one.setting["processes"], two.setting["processes"]) == (1, 2)
    assert two.result["top1"] == one.result["top1"] and two.result["loss"] == pytest.approx(
        one.result["loss"], abs=1e-5
    )
    assert two.curve["loss"] == pytest.approx(one.curve["loss"], abs=2e-4)
    assert sorted(p.name for p in out.iterdir()) == ["rank0.pt", "rank1.pt", "run.json", "run.pt"]
