"""Student's t distribution, which intervals of few numbers take in place of the normal one."""


def student_t_quantile(share: float, degrees: int) -> float:
    """The value below which so large a share (0 to 1) of a t distribution of so many degrees of freedom lies."""
    # Late, and not scipy.stats, which takes a second: whoever prints a table does not wait for what it does not need.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, share))
