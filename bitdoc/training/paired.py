"""Two networks on the same pictures: by how much one is better, and whether that may be luck."""

from __future__ import annotations

from math import sqrt

_Z = 1.959964  # of the normal distribution, 95 % of which lies within that many standard deviations


def difference(won: int, lost: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a difference of two shares of right answers to the same ``n`` pictures.

    Only pictures count that one of the two names right and the other wrong: ``won`` and ``lost``. This is the adjusted
    Wald interval of Bonett and Price (2012), which adds one picture to each of those two, and so keeps a width where
    none, or all, lie on one side. A bootstrap over pictures would have none there.

    References
    ----------
    D. G. Bonett and R. M. Price, "Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based on
    Paired Data", Journal of Educational and Behavioral Statistics 37 (2012), 479-488.
    """
    up, down = (won + 1) / (n + 2), (lost + 1) / (n + 2)
    spread = _Z * sqrt((up + down - (up - down) ** 2) / (n + 2))
    return max(-1.0, up - down - spread), min(1.0, up - down + spread)
