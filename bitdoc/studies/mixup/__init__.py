"""MixUp on the half-moons and on CIFAR-10: when it helps a network and when not."""
