"""Spoken digits: which recording is in which split, and what is heard."""

import io
import wave
import zipfile

import numpy as np
import pytest

from spikelab.datasets.spike_trains.spoken_digits import SpokenDigits


def sound(digit, width=2, channels=1, seconds=0.3):
    time = np.arange(round(8000 * seconds)) / 8000
    tone = np.sin(2 * np.pi * (200 + 200 * digit) * time) * 0.5
    samples = {1: (tone * 127 + 128).astype("u1"), 2: (tone * 32767).astype("<i2"), 4: (tone * 2**30).astype("<i4")}
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(np.repeat(samples[width], channels).tobytes())
    return content.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Three speakers, three digits, four numbers; one speaker's files in an archive."""
    for speaker in ("ann", "bob_b", "cy"):
        names = {f"{digit}_{speaker}_{number}.wav": digit for digit in (0, 4, 9) for number in (5, 6, 10, 7)}
        if speaker == "cy":
            with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
                for name, digit in names.items():
                    archive.writestr(f"recordings/{name}", sound(digit))
        else:
            for name, digit in names.items():
                (tmp_path / name).write_bytes(sound(digit))
    (tmp_path / "README.txt").write_text("digits")
    return tmp_path


def numbers(data):
    return sorted({word.number for word in data._words})


def test_by_speaker(folder):
    parts = {split: SpokenDigits(split, folder=folder) for split in ("train", "validation", "test")}
    assert [len(parts[split]) for split in ("train", "validation", "test")] == [18, 6, 12]
    assert set(parts["test"].speakers) == {"cy"}
    assert set(parts["train"].speakers) == set(parts["validation"].speakers) == {"ann", "bob_b"}
    assert [numbers(parts["validation"]), numbers(parts["train"])] == [[5], [6, 7, 10]]
    assert "cy" in parts["train"].origin
    other = SpokenDigits("test", folder=folder, test_speakers=["ann", "bob_b"])
    assert set(other.speakers) == {"ann", "bob_b"}


def test_by_recording(folder):
    parts = {
        split: SpokenDigits(split, folder=folder, split_by="recording") for split in ("train", "validation", "test")
    }
    assert [numbers(parts[split]) for split in ("test", "validation", "train")] == [[5, 6], [7], [10]]
    assert all(set(part.speakers) == {"ann", "bob_b", "cy"} for part in parts.values())


def test_a_sample(folder):
    data = SpokenDigits("test", folder=folder, time_bins=20)
    sample = data[0]
    assert sample["events"].shape == (20, 64)
    assert sample["events"].sum() > 0
    assert sample["events"][7:].sum() == 0  # silence after the 0.3 s of sound
    assert data.step == pytest.approx(0.05)
    loudest = [int(data[index]["events"].sum(0).argmax()) for index in (0, 4, 8)]
    assert data.labels[[0, 4, 8]].tolist() == [0, 4, 9]
    assert loudest == sorted(loudest)  # higher tones, higher channels


def test_other_ways_to_say_a_word(folder):
    plain = SpokenDigits("train", folder=folder, shift=0, drop=0)
    data, again = (SpokenDigits("train", folder=folder, shift=0, drop=0, variations=3) for _ in range(2))
    own = plain[4]["events"]
    shown = []
    for epoch in range(30):
        data.set_epoch(epoch)
        again.set_epoch(epoch)
        shown.append(data[4]["events"])
        assert again[4]["events"].equal(shown[-1])
    kinds = {each.numpy().tobytes() for each in shown}
    assert len(kinds) == 4
    assert own.numpy().tobytes() in kinds
    np.testing.assert_array_equal(data.recording(4).t, plain.recording(4).t)
    another = SpokenDigits("train", folder=folder, shift=0, drop=0, variations=3, seed=1)
    assert {another._variation(4, number).t.tobytes() for number in (1, 2, 3)}.isdisjoint(
        {data._variation(4, number).t.tobytes() for number in (1, 2, 3)}
    )


def test_only_words_for_training_are_changed(folder):
    for split in ("validation", "test"):
        plain, varied = (SpokenDigits(split, folder=folder, variations=count) for count in (0, 5))
        for epoch in range(5):
            varied.set_epoch(epoch)
            assert varied[1]["events"].equal(plain[1]["events"])


@pytest.mark.parametrize(("width", "channels"), [(1, 1), (2, 2), (4, 1)])
def test_kinds_of_wav_files(tmp_path, width, channels):
    for number in range(3):
        (tmp_path / f"3_ann_{number}.wav").write_bytes(sound(3, width, channels))
        (tmp_path / f"3_bob_{number}.wav").write_bytes(sound(3))
    kinds = SpokenDigits("train", folder=tmp_path), SpokenDigits("test", folder=tmp_path)
    counts = [np.bincount(data.recording(0).x, minlength=64) for data in kinds]
    assert np.abs(counts[0] - counts[1]).sum() <= 0.05 * counts[1].sum()


def test_what_is_refused(folder, tmp_path_factory):
    with pytest.raises(FileNotFoundError, match="free-spoken-digit-dataset"):
        SpokenDigits("train", folder=tmp_path_factory.mktemp("none"))
    with pytest.raises(ValueError, match=r"no 'dan' in .*, but ann, bob_b, cy"):
        SpokenDigits("train", folder=folder, test_speakers=["dan"])
    with pytest.raises(ValueError, match="leaves no recording for the split 'train'"):
        SpokenDigits("train", folder=folder, validation_recordings=4)
    with pytest.raises(ValueError, match="split_by is 'digit'"):
        SpokenDigits("train", folder=folder, split_by="digit")
    with pytest.raises(ValueError, match="variations is -1"):
        SpokenDigits("train", folder=folder, variations=-1)
    with pytest.raises(ValueError, match="throat = 3 must be a share"):
        SpokenDigits("train", folder=folder, throat=3)
    (folder / "0_ann_6.wav").write_bytes(sound(0)[:30])
    with pytest.raises(ValueError, match=r"0_ann_6.wav is no whole wav file"):
        SpokenDigits("train", folder=folder)[0]
    (folder / "0_cy_6.wav").write_bytes(sound(0))
    with pytest.raises(ValueError, match=r"0_cy_6.wav is in .* and in .*; leave one there"):
        SpokenDigits("train", folder=folder)


@pytest.mark.shared
def test_real_recordings(shared):
    archives = [path for path in sorted((shared / "data").glob("*/*.zip")) if b".wav" in path.read_bytes()[:4096]]
    if not archives:
        pytest.skip(f"no archive of wav files below {shared}/data")
    for archive in archives:
        data = SpokenDigits("test", folder=archive.parent)
        assert len(set(data.labels.tolist())) == 10
        rates = [len(data.recording(index)) for index in range(0, len(data), 7)]
        assert min(rates) > 100


def test_a_word_that_is_cut_short_is_named(tmp_path):
    for digit in range(10):
        for speaker in ("ann", "bob"):
            for number in range(4):
                (tmp_path / f"{digit}_{speaker}_{number}.wav").write_bytes(sound(digit, seconds=0.05))
    cut = tmp_path / "0_bob_0.wav"
    cut.write_bytes(cut.read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"0_bob_0.wav is cut short: it announces 400 samples and has 250; fetch it"):
        SpokenDigits("test", folder=tmp_path).recording(0)
