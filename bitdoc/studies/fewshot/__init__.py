"""Few-shot transfer to CIFAR-10, as in the paper's Fig. 6: the runs, the sweep that makes them, what it will cost."""
