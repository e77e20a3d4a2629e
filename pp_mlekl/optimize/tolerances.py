"""The numbers with which the audit compares what it measures."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tolerances:
    """All thresholds of the audit, with their units.

    Numbers are natural logarithms of densities (nats) unless another unit is named; "share" is a relative number. Those without
    a source are set so that the degenerate and regular models of the tests get their verdicts from any start
    (``benchmarks/verdicts.py``).

    Parameters
    ----------
    noise_multiple
        A gain or a loss is one beyond this multiple of the noise.
    noise_gain_multiple
        A step of a search is one beyond this multiple of the noise where it ends.
    noise_loss_multiple
        A loss of this many times the noise is one, however large that is.
    noise_meaningless
        Where values scatter by more nats, neither a gain nor a vanishing gradient means anything.
    noise_visible
        Share of the value from which noise is taken into account.
    noise_move
        Relative moves within which a smooth function is constant (Moré and Wild 2011), but its rounding is not.
    noise_step_growth
        The height of a step that rounding makes grows by less than this factor over ten times the distance.
    noise_slope_share
        Share of a change that slopes miss at least if they are other digits' than the value's.
    noise_step_range
        Moves that change the value by more nats say nothing of rounding.
    least_fall
        Nats by which a regular maximum falls at two standard errors at least (2 on a parabola).
    largest_fall
        Nats by which it falls at one standard error at most (1/2 on a parabola).
    least_share
        Share of a standard error that lies within the reach of a scale, at least.
    rank_eigenvalue
        Eigenvalues of the negative Hessian, scaled to unit diagonal, below this may be rounding.
    doubtful_loss
        Losses of more nats on a ray are looked at again for noise.
    flat_loss
        A line that keeps the maximum within this many nats is flat.
    flat_share
        A plateau is level on more than this share of the line on which no fall is visible.
    flat_seen
        A loss is seen that is this many times what may be lost, or is none where it is as many times less.
    flat_fall
        Nats at which a straight line has visibly left the maximum.
    idle_range
        How far a coordinate that says nothing is tried, as a share of its size.
    singular_fall
        A quarter of a standard error off a regular maximum costs no more nats than this (1/32 on a parabola).
    singular_least, singular_most
        Nats lost at two standard errors of a profile that falls off regularly.
    weak_bend
        Share of the curvature at a maximum that may be missing a tenth of a standard error off.
    weak_distance
        Standard errors within which any smooth maximum is a parabola.
    family_variance
        Variances that differ by more than this share along a flat family are not the parameters' own.
    ray_loss
        A ray along which no more nats are lost near by leads to infinity or a bound (Geyer 2009, section 3: none are).
    ray_fall
        Nats that are lost in the opposite direction.
    ray_straight_loss
        Nats that may be lost along a ray from where a search did not converge.
    ray_defined
        Points, of 11 on a ray, that are defined at least where the others overflow.
    ray_redundant
        Nats that a direction adds at the end of others, if it is needed.
    way_ratio
        Share of a gain that the next may have where gains are a geometric series.
    way_tenth
        Share of the move from one loss to its tenth that the move to the next tenth has at least, if a way does not end: 0.32 at
        a quadratic end, 0.56 at a quartic one, tending to 1 on the way to infinity.
    way_known, way_later
        Points of a bent way that are defined, and gains that are falling, at least.
    way_beyond
        How much farther than the point a way must lead, in units of z.
    way_share
        Share of the longest coordinate below which one does not belong to a direction.
    way_rest
        Share of its earlier move below which a coordinate converges.
    way_involved
        Share of the largest part in irregular directions from which a coordinate is looked at.
    far_multiple
        A coordinate this many times its size at the origin may be on its way to infinity.
    far_early
        Share of the distance from the origin at which a bent way begins.
    climb_rate
        Nats for each unit of z that are a divergence, and not a limit being approached.
    climb_spread
        Share by which three rates in turn may differ.
    climb_far
        Units of z from which a path on its way to a finite limit has become flat.
    climb_crossing
        Units of z before which a climb passes the maximum, if it counts.
    climb_level, climb_level_steps
        Nats within which this number of points beyond a climb are level: it has reached its limit.
    climb_loss, climb_loss_each, climb_first_loss
        Nats that a path may lose: in all, for each term of a sum, and at its first step.
    climb_steady
        Share of the rate of the step before at which a path loses without end.
    climb_distance, climb_middle
        Units of z from the origin from which a coordinate may be on a climb, and the share at which that is looked for.
    climb_ran
        Units of z by which a coordinate has diverged on a profile.
    climb_goes_on
        Share of its rate that a climb keeps farther on.
    support_near, support_nearest
        Shares of the distance to an end of the support: where its density is looked at, and where a profile ends.
    support_overflow
        Nats lost at an end that is none of a density.
    support_power
        Nats for each unit of log distance by which a density changes there.
    kink_jump
        The least difference of slopes at a kink, in nats per unit of z.
    kink_ratio
        Share of it that is left a hundred times nearer.
    kink_top
        Share of the value within which nothing near a kink is higher.
    kink_noise
        Share of the value from which noise hides a kink.
    jump_height, jump_ratio
        A jump, in nats, and in multiples of what the slope makes of the way.
    step_height
        The least step of a step function, in nats.
    equal
        Share of the value within which two ends are one maximum's.
    higher
        Share of the value by which a point near a maximum is higher.
    higher_on_profile
        Nats by which one on a rough profile is.
    rival_gap
        Half of the 95 % quantile of chi-squared with one degree of freedom: nats between maxima that are nearly equal.
    rival_valley
        Nats between two maxima and the valley before them.
    rival_curvature
        Least scaled eigenvalue of the negative Hessian at a second maximum.
    mode_distance
        Standard errors within which two ends are one maximum.
    mode_tie
        Share of the value within which only rounding distinguishes maxima.
    hessian_change, hessian_seen
        Share of what a Hessian says that slopes change by at least, and share of the slope that is seen.
    profile_parameters, kink_parameters, corner_parameters, line_parameters
        With more parameters no profiles of hidden or bent ways, searches along kinks, into corners of the support, or lines about a
        maximum.
    """

    noise_multiple: float = 3.0
    noise_gain_multiple: float = 10.0
    noise_loss_multiple: float = 30.0
    noise_meaningless: float = 0.1
    noise_visible: float = 1e-8
    noise_move: float = 1e-10
    noise_step_growth: float = 3.0
    noise_slope_share: float = 0.1
    noise_step_range: float = 5.0
    least_fall: float = 0.1
    largest_fall: float = 10.0
    least_share: float = 0.1
    rank_eigenvalue: float = 1e-11
    doubtful_loss: float = 1e-6
    flat_loss: float = 1e-4
    flat_share: float = 0.5
    flat_seen: float = 5.0
    flat_fall: float = 0.1
    idle_range: float = 0.05
    singular_fall: float = 0.5
    singular_least: float = 0.05
    singular_most: float = 100.0
    weak_bend: float = 0.25
    weak_distance: float = 0.1
    family_variance: float = 1e-2
    ray_loss: float = 1e-2
    ray_fall: float = 0.1
    ray_straight_loss: float = 1e-6
    ray_defined: int = 8
    ray_redundant: float = 1e-3
    way_ratio: float = 0.8
    way_tenth: float = 0.65
    way_known: int = 4
    way_later: int = 3
    way_beyond: float = 0.5
    way_share: float = 1e-3
    way_rest: float = 0.6
    way_involved: float = 0.3
    far_multiple: float = 10.0
    far_early: float = 0.01
    climb_rate: float = 0.02
    climb_spread: float = 0.05
    climb_far: float = 15.0
    climb_crossing: float = 40.0
    climb_level: float = 1e-4
    climb_level_steps: int = 3
    climb_loss: float = 300.0
    climb_loss_each: float = 5.0
    climb_first_loss: float = 1000.0
    climb_steady: float = 0.7
    climb_distance: float = 4.0
    climb_middle: float = 0.5
    climb_ran: float = 5.0
    climb_goes_on: float = 0.5
    support_near: float = 1e-9
    support_nearest: float = 1e-13
    support_overflow: float = 1e8
    support_power: float = 1e-5
    kink_jump: float = 1e-8
    kink_ratio: float = 0.5
    kink_top: float = 1e-12
    kink_noise: float = 1e-5
    jump_height: float = 1e-6
    jump_ratio: float = 100.0
    step_height: float = 1e-6
    equal: float = 1e-6
    higher: float = 1e-6
    higher_on_profile: float = 1e-4
    rival_gap: float = 1.92
    rival_valley: float = 1e-3
    rival_curvature: float = 1e-9
    mode_distance: float = 1e-3
    mode_tie: float = 1e-10
    hessian_change: float = 0.5
    hessian_seen: float = 1e-3
    profile_parameters: int = 40
    kink_parameters: int = 30
    corner_parameters: int = 8
    line_parameters: int = 12
