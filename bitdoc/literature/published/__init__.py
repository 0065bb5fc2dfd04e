"""Numbers printed in papers and official tables, each with its citation key. Nothing here was measured by bitdoc.

A file holds the numbers of one paper, or of the papers one page needs, and is called like that page. ``cite`` is a key
of ``docs/references.bib``; ``where`` says which table or figure. Values "read off" a figure were decoded from the
position of its marks and are good to about 0.05.
"""

from bitdoc.literature.published.architecture import RESNET_V2, STRIDE_V15, TIMM_PARAMETERS, WIDE_RESNET
from bitdoc.literature.published.bit import (
    COURSE_REPORT_R50X3,
    FIG1_R50,
    FIG2_BIT_L,
    FIG2_BIT_L_CIFAR10_RANGE,
    FIG2_SEMI,
    FIG3,
    FIG4_BASELINES,
    FIG5,
    FIG6_MEDIANS,
    FIG6_R50X3_RUNS,
    TABLE1,
    TABLE2,
    TABLE3,
    TABLE4,
    TABLE5,
    TABLE6,
    TABLE7,
)
from bitdoc.literature.published.mixup import (
    CUTMIX_ILSVRC,
    MIXUP_ADVERSARIAL,
    MIXUP_CIFAR,
    MIXUP_CIFAR_CODE,
    MIXUP_CORRUPTED,
    MIXUP_ILSVRC,
    MIXUP_SPEECH,
)
from bitdoc.literature.published.models import FOCAL_LOSS
from bitdoc.literature.published.normalization import (
    BN_STEPS,
    BN_UNFROZEN,
    GN_BATCH_SIZE,
    GN_GROUPS,
    GN_NORMS,
    GN_R101,
    RENORM_MICRO_BATCH,
    WS_ILSVRC,
)
from bitdoc.literature.published.official import OFFICIAL_FEW_SHOT, OFFICIAL_ILSVRC
from bitdoc.literature.published.quote import Published
from bitdoc.literature.published.transfer import VTAB_START, YOSINSKI

__all__ = [
    "BN_STEPS",
    "BN_UNFROZEN",
    "COURSE_REPORT_R50X3",
    "CUTMIX_ILSVRC",
    "FIG1_R50",
    "FIG2_BIT_L",
    "FIG2_BIT_L_CIFAR10_RANGE",
    "FIG2_SEMI",
    "FIG3",
    "FIG4_BASELINES",
    "FIG5",
    "FIG6_MEDIANS",
    "FIG6_R50X3_RUNS",
    "FOCAL_LOSS",
    "GN_BATCH_SIZE",
    "GN_GROUPS",
    "GN_NORMS",
    "GN_R101",
    "MIXUP_ADVERSARIAL",
    "MIXUP_CIFAR",
    "MIXUP_CIFAR_CODE",
    "MIXUP_CORRUPTED",
    "MIXUP_ILSVRC",
    "MIXUP_SPEECH",
    "OFFICIAL_FEW_SHOT",
    "OFFICIAL_ILSVRC",
    "RENORM_MICRO_BATCH",
    "RESNET_V2",
    "STRIDE_V15",
    "TABLE1",
    "TABLE2",
    "TABLE3",
    "TABLE4",
    "TABLE5",
    "TABLE6",
    "TABLE7",
    "TIMM_PARAMETERS",
    "VTAB_START",
    "WIDE_RESNET",
    "WS_ILSVRC",
    "YOSINSKI",
    "Published",
]
