"""The cochlea: what channels hear, how loud, how fast neurons follow."""

import numpy as np
import pytest

from spikelab.events.cochlea import Cochlea

RATE = 8000


def tone(frequency, seconds=0.4, level=1.0):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


def test_centres_are_evenly_spaced_on_the_erb_scale():
    cochlea = Cochlea(channels=20)
    centres = cochlea.centres
    assert centres[0] == pytest.approx(80)
    assert centres[-1] == pytest.approx(3600)
    np.testing.assert_allclose(np.diff(np.log10(1 + 0.00437 * centres)), np.log10(16.732 / 1.3496) / 19, rtol=1e-6)


@pytest.mark.parametrize("channel", [5, 30, 60])
def test_a_tone_is_loudest_in_its_own_channel(channel):
    cochlea = Cochlea()
    drive = cochlea.drive(tone(cochlea.centres[channel]), RATE)
    assert drive.shape == (64, 3200)
    assert drive.mean(1).argmax() == channel
    assert (drive >= 0).all()
    spikes = cochlea.spikes(tone(cochlea.centres[channel]), RATE)
    counts = np.bincount(spikes.x, minlength=64)
    assert abs(int(counts.argmax()) - channel) <= 3  # neighbours may fire as often, within the refractory time
    assert counts[channel] > 0


def test_loudness_is_judged_against_the_sound_itself():
    cochlea = Cochlea(channels=16)
    quiet, loud = (cochlea.spikes(tone(500, level=level), RATE) for level in (1.0, 1000.0))
    assert len(quiet) == len(loud) > 0
    np.testing.assert_array_equal(quiet.x, loud.x)


def test_spikes_are_events_in_order_and_no_faster_than_the_refractory_time():
    rng = np.random.default_rng(0)
    cochlea = Cochlea(channels=12, refractory=2e-3)
    spikes = cochlea.spikes(rng.normal(size=4000), RATE)
    assert (spikes.width, spikes.height) == (12, 1)
    assert set(spikes.p.tolist()) == {1}
    assert spikes.t[-1] < 500_000
    for channel in range(12):
        assert (np.diff(spikes.t[spikes.x == channel]) > 2000).all()


def test_emphasis_makes_high_pitches_louder_by_six_decibels_an_octave():
    plain, emphasised = (Cochlea(channels=16, compression=1.0, emphasis=each) for each in (None, 40.0))
    both = tone(500) + tone(1000)
    ratios = []
    for ear in (plain, emphasised):
        drive = ear.drive(both, RATE)[:, 800:].mean(1)
        ratios.append(drive[np.abs(ear.centres - 1000).argmin()] / drive[np.abs(ear.centres - 500).argmin()])
    assert ratios[1] / ratios[0] == pytest.approx(2.0, rel=0.1)


def test_an_s_beside_a_vowel_is_heard_with_emphasis():
    rng = np.random.default_rng(0)
    hiss = np.diff(rng.normal(size=1601), n=1) * 0.01
    word = np.concatenate([tone(300, 0.3), hiss])
    counts = []
    for emphasis in (None, 40.0):
        spikes = Cochlea(emphasis=emphasis).spikes(word, RATE)
        counts.append(int(((spikes.x >= 48) & (spikes.t > 320_000)).sum()))
    assert counts[1] > 3 * counts[0]
    assert counts[1] > 20


def test_a_faster_tempo_shortens_the_sound_and_keeps_pitch_and_rate():
    cochlea = Cochlea()
    slow, fast = (cochlea.spikes(tone(500, seconds=0.6), RATE, tempo) for tempo in (1.0, 1.5))
    assert 380_000 < fast.t[-1] < 400_000 < 580_000 < slow.t[-1]
    assert abs(int(np.median(slow.x)) - int(np.median(fast.x))) <= 1
    assert len(fast) / 0.4 == pytest.approx(len(slow) / 0.6, rel=0.1)
    with pytest.raises(ValueError, match="tempo = 0 must be positive"):
        cochlea.spikes(tone(500), RATE, 0)


def test_silence_and_very_short_sounds():
    cochlea = Cochlea(channels=4)
    assert len(cochlea.spikes(np.zeros(1000), RATE)) == 0
    assert len(cochlea.spikes([], RATE)) == 0
    assert len(cochlea.spikes([1.0], RATE)) == 0


def test_a_click_reaches_high_channels_first():
    cochlea = Cochlea(channels=32)
    click = np.zeros(2000)
    click[100] = 1.0
    latest = cochlea.drive(click, RATE).argmax(1)
    assert latest[-1] < latest[0]
    assert latest.min() >= 100  # nothing is heard before it sounds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "channels = 0"),
        ({"lowest": 500.0, "highest": 400.0}, "below highest"),
        ({"tau_mem": 0.0}, "tau_mem = 0.0 must be positive"),
        ({"emphasis": 0.0}, "emphasis = 0.0 Hz must be positive, or None"),
        ({"refractory": -1.0}, "refractory = -1.0 s must be 0 or more"),
    ],
)
def test_ears_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        Cochlea(**options)


def test_sounds_that_cannot_be_heard():
    cochlea = Cochlea(channels=4)
    with pytest.raises(ValueError, match=r"a highest below 3000 Hz"):
        cochlea.spikes(np.ones(10), 6000)
    with pytest.raises(ValueError, match="finite numbers of one channel"):
        cochlea.spikes(np.ones((2, 10)), RATE)
    with pytest.raises(ValueError, match="finite"):
        cochlea.spikes([0.0, np.nan], RATE)
