"""What a network that is given away says of itself: its classes, the pictures it expects, its recipe, its license."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bitdoc.network.norms import WS_EPS
from bitdoc.network.resnet import architecture
from bitdoc.network.weights import ModelName, WeightsError

#: Pixels of BiT's networks are scaled from [0, 1] to [-1, 1]: mean and spread of each channel.
MEAN = STD = (0.5, 0.5, 0.5)
#: License of the authors' weights, as their repository and the hub's pages of them state it, and of bitdoc's own.
LICENSES = {"S": "Apache-2.0", "M": "Apache-2.0", "T": "MIT"}


@dataclass(frozen=True)
class Passport:
    """What goes with the weights of a network.

    Attributes
    ----------
    arch : str
        For :func:`bitdoc.network.resnet.architecture`.
    classes : tuple of str
        Names of the head's outputs in their order; empty where they are not known.
    side : int, optional
        Pictures are squeezed to squares of this many pixels.
    interpolation : {"bilinear", "bicubic"}
        How they are squeezed, antialiased.
    recipe : mapping
        How the network was trained, in numbers and words that JSON holds.
    license : str
        Of the weights, by its SPDX name.
    origin : str
        The weights that training began with.
    """

    arch: str
    classes: tuple[str, ...] = ()
    side: int | None = None
    interpolation: str = "bilinear"
    recipe: Mapping[str, Any] = field(default_factory=dict)
    license: str = ""
    origin: str = ""

    @classmethod
    def of(cls, name: str, **known: Any) -> Passport:
        """Begin the passport of what was trained from the weights ``name``, whose license goes on with them."""
        model = ModelName.parse(name)
        return cls(model.arch, license=LICENSES.get(model.upstream, ""), origin=name, **known)

    def preprocessing(self) -> dict[str, Any]:
        """What happens to a picture before the network sees it, for readers of any language."""
        squeezed = {"resize": [self.side, self.side], "interpolation": self.interpolation, "antialias": True}
        return (squeezed if self.side else {}) | {"rescale": 1 / 255, "mean": list(MEAN), "std": list(STD)}

    def header(self) -> dict[str, str]:
        """The passport as the text pairs that a file of weights can carry; :meth:`from_header` reads it back."""
        known = {
            "architecture": self.arch,
            "num_groups": str(architecture(self.arch).groups),
            "weight_standardization_epsilon": f"{WS_EPS:g}",
            "classes": json.dumps(self.classes, ensure_ascii=False),
            "preprocessing": json.dumps(self.preprocessing()),
            "recipe": json.dumps(dict(self.recipe), ensure_ascii=False),
            "license": self.license,
            "origin": self.origin,
        }
        return {name: text for name, text in known.items() if text not in ("", "[]", "{}")}

    @classmethod
    def from_header(cls, header: Mapping[str, str], where: str) -> Passport:
        """Read what :meth:`header` wrote; :class:`~bitdoc.network.weights.WeightsError` if it is not that."""
        try:
            seen = json.loads(header.get("preprocessing", "{}"))
            classes = json.loads(header.get("classes", "[]"))
            recipe = json.loads(header.get("recipe", "{}"))
            if not (isinstance(recipe, dict) and all(isinstance(name, str) for name in classes)):
                raise TypeError
            return cls(
                header["architecture"],
                tuple(classes),
                int(seen["resize"][0]) if "resize" in seen else None,
                str(seen.get("interpolation", "bilinear")),
                recipe,
                header.get("license", ""),
                header.get("origin", ""),
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            raise WeightsError(f"{where}: its header is not what bitdoc writes; export the network again") from None
