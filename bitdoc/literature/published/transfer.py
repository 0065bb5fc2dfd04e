"""What Yosinski et al. (2014) print about how transferable the layers of a network are."""

from __future__ import annotations

from bitdoc.literature.published.values import Published

#: ``values["random" | "man-made"][frozen layers]``: ILSVRC classes split at random (points gained or lost against a
#: network trained on the target half alone, recomputed from the authors' training logs) and by kind (accuracy on the
#: man-made half, features from the natural half; 0 layers is the base network; printed in the authors' notebook).
YOSINSKI = Published(
    "yosinski2014code",
    "training logs; notebook",
    "points of top-1 accuracy; top-1 accuracy, %",
    {
        "random": dict(zip(range(1, 8), (0.3, -0.1, -0.6, -2.5, -4.7, -4.5, -8.3), strict=True)),
        "same": dict(zip(range(1, 8), (0.2, -0.2, -0.4, -2.0, -3.2, -0.6, -0.2), strict=True)),
        "man-made": dict(zip(range(8), (53.7, 53.9, 52.1, 50.1, 46.2, 41.0, 37.4, 29.1), strict=True)),
    },
)
