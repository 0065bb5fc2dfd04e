"""Networks as others keep them: read what timm, transformers and the hub hold of BiT, and write what they take.

Uses the network and its records. Libraries that only one format needs are imported where that format is read or
written, and a missing one is named in a single line.
"""

from bitdoc.exchange.loading import adopt, load, save
from bitdoc.exchange.passport import Passport

__all__ = ["Passport", "adopt", "load", "save"]
