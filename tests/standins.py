"""Run records that stand in for real ones."""

from bitdoc.records import runs
from bitdoc.studies.fewshot.which_runs import EXPERIMENT


def stand_in(model, shots, seed, accuracy, **setting):
    base = {"method": "fine-tune", "examples_per_class": shots, "subset_seed": seed, "encoding": "stand-in"}
    return runs.RunRecord(
        EXPERIMENT,
        f"{model}_fine-tune_{shots}_{seed}",
        model,
        base | setting,
        {"top1": accuracy},
        environment={"device": "stand-in"},
        code={"digest": "stand-in"},
        date="2026-01-01T00:00:00+00:00",
    )
