"""Where and when a run is made: device, library versions, memory, and the clock."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from typing import Any


def environment(device: Any = "cpu") -> dict[str, Any]:
    """Device name, library versions and operating system."""
    import numpy
    import torch

    device = torch.device(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    if device.type == "cpu":
        name = f"CPU, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"
    return {
        "device": name,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }


def peak_memory(device: Any = "cpu") -> int | None:
    """Peak memory in bytes: of the allocator on CUDA, of the whole process on a CPU where the system tells."""
    import torch

    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows has no resource module
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def now() -> str:
    """The present time, UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
