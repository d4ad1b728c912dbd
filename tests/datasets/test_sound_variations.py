"""Other ways to say a word: what changes, what stays."""

import numpy as np
import pytest

from spikelab.datasets.spike_trains.sound_variations import (
    SoundVariations,
    equalised,
    moved_formants,
    played_faster,
)

RATE = 8000
NOTHING = SoundVariations(pitch=0, throat=0, tempo=0, equaliser=0, noise=None, trim=0)


def vowel(pitch=110.0, formant=1000.0, seconds=0.5):
    """Harmonics of a voice, those near one formant louder."""
    time = np.arange(round(seconds * RATE)) / RATE
    harmonics = np.arange(pitch, 3900, pitch)
    loudness = np.exp(-(((harmonics - formant) / 300) ** 2)) + 0.01
    return (loudness[:, None] * np.sin(2 * np.pi * harmonics[:, None] * time)).sum(0)


def spectrum(sound):
    return np.fft.rfftfreq(len(sound), 1 / RATE), np.abs(np.fft.rfft(sound * np.hanning(len(sound))))


def pitch_of(sound):
    """The lag at which a sound is most like itself, from 60 to 300 Hz."""
    alike = np.fft.irfft(np.abs(np.fft.rfft(sound, 2 * len(sound))) ** 2)[: RATE // 60]
    return RATE / (RATE // 300 + alike[RATE // 300 :].argmax())


def formant_of(sound):
    """Mean frequency of a sound's power."""
    frequencies, loudness = spectrum(sound)
    return (frequencies * loudness**2).sum() / (loudness**2).sum()


def test_playing_faster_raises_pitch_and_formant():
    sound = played_faster(vowel(), 1.25)
    assert len(sound) == 3200
    assert pitch_of(sound) == pytest.approx(137.5, rel=0.02)
    assert formant_of(sound) == pytest.approx(1.25 * formant_of(vowel()), rel=0.02)
    assert np.std(sound) == pytest.approx(np.std(vowel()), rel=0.05)
    np.testing.assert_allclose(played_faster(played_faster(vowel(), 0.8), 1.25)[500:-500], vowel()[500:-500], atol=0.05)


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_another_throat_moves_the_formant_and_not_the_pitch(factor):
    sound = moved_formants(vowel(), RATE, factor)
    assert len(sound) == len(vowel())
    assert pitch_of(sound) == pytest.approx(110, rel=0.02)
    assert formant_of(sound) == pytest.approx(factor * formant_of(vowel()), rel=0.06)


def test_pieces_put_together_again_are_the_sound():
    noise = np.random.default_rng(0).normal(size=1001)
    np.testing.assert_allclose(moved_formants(noise, RATE, 1 + 1e-12), noise, atol=1e-6)


def test_equaliser():
    sound = np.random.default_rng(0).normal(size=8000)
    np.testing.assert_allclose(equalised(sound, RATE, np.full(6, 20.0)), 10 * sound, rtol=1e-9, atol=1e-9)
    # from 0 dB at 80 Hz to 40 dB at 4000 Hz
    before, after = (np.abs(np.fft.rfft(each)) for each in (sound, equalised(sound, RATE, np.linspace(0, 40, 6))))
    np.testing.assert_allclose(after[[40, 80, 566, 4000]] / before[[40, 80, 566, 4000]], [1, 1, 10, 100], rtol=0.01)


def test_nothing_is_changed_by_nothing():
    sound, tempo = NOTHING(vowel(), RATE, np.random.default_rng(0))
    assert tempo == 1.0
    np.testing.assert_allclose(sound, vowel(), atol=1e-9)


def test_each_draw_is_another_and_the_same_again():
    variations = SoundVariations()
    first, again, other = (variations(vowel(), RATE, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert other[1] != first[1]


def test_pitch_is_undone_in_time():
    """A voice played faster is heard slower, so that the word lasts as long as it did."""
    for seed in range(5):
        sound, tempo = SoundVariations(tempo=0, trim=0)(vowel(), RATE, np.random.default_rng(seed))
        assert len(sound) / tempo == pytest.approx(4000, rel=1e-3)
    for seed in range(5):
        sound, tempo = SoundVariations(pitch=0, tempo=0.5, trim=0)(vowel(), RATE, np.random.default_rng(seed))
        assert len(sound) == 4000
        assert 1 / 1.5 <= tempo <= 1.5


def test_noise_is_as_far_below_as_asked_for():
    only = SoundVariations(pitch=0, throat=0, tempo=0, equaliser=0, noise=10, trim=0)
    below = []
    for seed in range(40):
        sound, _ = only(vowel(), RATE, np.random.default_rng(seed))
        below.append(-20 * np.log10(np.std(sound - vowel()) / np.std(vowel())))
    assert 9.9 <= min(below) < 15
    assert 45 < max(below) <= 50.1


def test_trimming_takes_no_more_than_a_third_from_each_side():
    only = SoundVariations(pitch=0, throat=0, tempo=0, equaliser=0, noise=None, trim=10)
    lengths = {len(only(np.ones(300), RATE, np.random.default_rng(seed))[0]) for seed in range(40)}
    assert lengths <= set(range(100, 301))
    assert {100, 200, 300} <= lengths


def test_sounds_that_are_short_or_silent():
    for sound in ([], [1.0], [1.0, -1.0], np.zeros(500)):
        for seed in range(5):
            changed, tempo = SoundVariations()(sound, RATE, np.random.default_rng(seed))
            assert np.isfinite(changed).all()
            assert tempo > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pitch": -0.1}, "pitch = -0.1 must be a share"),
        ({"throat": 2.0}, "throat = 2.0"),
        ({"tempo": float("nan")}, "tempo = nan"),
        ({"equaliser": -1.0}, "equaliser = -1.0 dB must be 0 or more"),
        ({"trim": float("inf")}, "trim = inf s"),
        ({"noise": 60.0}, "noise = 60.0 dB must be 50 or less"),
    ],
)
def test_variations_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        SoundVariations(**options)
