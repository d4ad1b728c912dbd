"""When continuous terms act, and the signal that they follow: pieces of the kernels of the history strategy.

A term that is an integral, gain(t) · e, is not worked out at every interval. The sum of gain · decay over time is the
same for all synapses; each synapse takes its part of the sum when it is looked at anyway. Only where the gain changes
its sign all rows are looked at, so that clipping at the bounds is that of every interval.
"""

from __future__ import annotations

from spikelab.sim.numba_engine.plastic_source import Lines
from spikelab.sim.plasticity.spec import MODULATOR
from spikelab.sim.plasticity.strategy import Integral

#: Whether all rows have to be looked at now, and whether continuous terms act. Every thread finds the same answer: a
#: request made in one block of steps is read at the beginning of the next.
_DUE = """
    number_ = step_ // block_
    clock_ = interval_ > 0 and step_ > 0 and step_ % interval_ == 0
    due_ = step_ > 0 and step_ % longest_ == 0
    if step_ % block_ == 0 and read_shared(as_table(requests_), (number_ + 1) % 2) == number_ - 1:
        due_ = True
"""
#: Where continuous terms need all rows whenever they act.
_EVERY_TIME = """
    due_ = due_ or clock_
"""
#: Where they are integrals: all rows are needed only when the gain changes its sign.
_GAIN = """
    gain_ = FLOAT(interval_) * dt_ * {gain}
    due_ = due_ or (clock_ and gain_ * sign_[thread_, 0] < FLOAT(0))
"""
#: The sum over time of gain · decay, from the last time that all rows were looked at to each step since.
_SUM_GAIN = """
    position_ = step_ - base_[thread_, 0]
    if position_ == 0:
        integral_[thread_, 0] = FLOAT(0)
    else:
        integral_[thread_, position_] = integral_[thread_, position_ - 1]
        if clock_:
            integral_[thread_, position_] += gain_ * decay_{variable}_[position_]
    if clock_ and gain_ != FLOAT(0):
        sign_[thread_, 0] = FLOAT(1) if gain_ > FLOAT(0) else FLOAT(-1)
"""

#: Entries for the modulator: values from given steps on or, where there is a delay, a level that spikes raise.
_SIGNAL = {
    "signal_log_": "",
    "signal_first_": "",
    "signal_last_": "",
    "signal_delay_": "",
    "signal_numbers_": "FLOAT, 3",
    "signals_": "",
    "signal_steps_": "np.int64, signals_",
    "signal_values_": "FLOAT, signals_",
    "level_": "FLOAT, threads_, 8",
}
_READ_SIGNAL = f"""
    {MODULATOR} = level_[thread_, 0]
    if signal_delay_ == 0:
        {MODULATOR} = signal_values_[max(np.searchsorted(signal_steps_, step_, side="right") - 1, 0)]
"""
_RAISE_SIGNAL = """
    if signal_delay_ > 0:
        level_now_ = signal_numbers_[0] + (level_[thread_, 0] - signal_numbers_[0]) * signal_numbers_[1]
        emitted_ = step_ - signal_delay_
        if emitted_ >= 0:
            header_ = array_at(signal_log_, (6,), np.int64)
            local_ = emitted_ - header_[4]
            for other_ in range(header_[5]):
                offsets_ = array_at(header_[2] + 8 * other_ * header_[3], (header_[3],), np.int64)
                identities_ = array_at(header_[0] + 4 * other_ * header_[1], (header_[1],), np.int32)
                for place_ in range(offsets_[local_], offsets_[local_ + 1]):
                    if signal_first_ <= identities_[place_] < signal_last_:
                        level_now_ += signal_numbers_[2]
        level_[thread_, 0] = level_now_
"""

#: Entries of an integral: the gain's last sign, its sum, and the inverse of the decay.
_INTEGRAL = {
    "sign_": "FLOAT, threads_, 8",
    "integral_": "FLOAT, threads_, longest_ + 2",
    "lift_": "FLOAT, longest_ + 2",
}


def entries(modulated: bool, integral: Integral | None) -> dict[str, str]:
    """The table's entries for continuous terms."""
    return {**(_SIGNAL if modulated else {}), **(_INTEGRAL if integral else {})}


def due(lines: Lines, integral: Integral | None) -> str:
    """Finds out whether all rows are looked at in a step, ``due_``, and whether terms act, ``clock_``."""
    signal = _READ_SIGNAL if lines.spec.modulated else ""
    return signal + _DUE + (_GAIN.format(gain=lines(integral.gain)) if integral else _EVERY_TIME)


def pass_on(lines: Lines, integral: Integral | None) -> str:
    """Carries the integral and the signal to the end of the step."""
    sums = _SUM_GAIN.format(variable=integral.variable) if integral else ""
    return sums + (_RAISE_SIGNAL if lines.spec.modulated else "")
