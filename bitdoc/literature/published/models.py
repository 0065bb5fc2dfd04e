"""What the RetinaNet paper prints about its loss (Lin et al. 2017)."""

from __future__ import annotations

from bitdoc.literature.published.quote import Published

#: ``values[loss] = AP`` of a ResNet-50 RetinaNet at 600 pixels on COCO minival.
FOCAL_LOSS = Published(
    "lin2017focal",
    "Table 1",
    "box AP on COCO minival, %",
    {"cross-entropy": 30.2, "weighted": 31.1, "γ = 0.5": 32.9, "γ = 1": 33.7, "γ = 2": 34.0, "γ = 5": 32.2},
)
