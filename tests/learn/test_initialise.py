"""A training from the weights of another: what does not fit is told with the options behind it, and a remedy."""

import pytest
import torch

from spikelab.io.checkpoint import CheckpointError, save_checkpoint
from spikelab.io.settings_file import write
from spikelab.learn.initialise import initialise
from spikelab.models.video import CompressedVideo
from spikelab.settings import Model, Train


@pytest.fixture
def source(tmp_path):
    """A run of three groups of pictures and five classes."""
    torch.manual_seed(0)
    options = {"groups": 3, "classes": 5}
    write(Train(folder=str(tmp_path), model=Model("compressed_video", options)), tmp_path / "settings.toml")
    save_checkpoint(tmp_path / "best.safetensors", {"model": CompressedVideo(**options).state_dict()})
    return tmp_path / "best.safetensors"


def settings(source, options, skip=(), name="compressed_video"):
    return Train(initialise_from=str(source.parent), initialise_skip=list(skip), model=Model(name, options))


def test_another_number_of_groups_says_why_not_and_what_can_be_done(source):
    options = {"groups": 2, "classes": 5}
    model = CompressedVideo(**options)
    with pytest.raises(CheckpointError) as error:
        initialise(model, settings(source, options), source)
    lines = str(error.value).splitlines()
    assert lines[1] == "model option groups is 2, there 3"
    skip = lines[2].partition("--initialise_skip ")[2]
    assert skip == "tokens.image.group,tokens.motion.group,mixer.0.tokens.0.,mixer.0.tokens.3."
    initialise(model, settings(source, options, skip.split(",")), source)
    theirs = CompressedVideo(groups=3, classes=5)
    initialise(theirs, settings(source, {"groups": 3, "classes": 5}), source)
    for name, value in model.state_dict().items():
        if not name.startswith(tuple(skip.split(","))):
            assert torch.equal(value, theirs.state_dict()[name]), name


def test_what_was_skipped_already_is_kept_in_the_advice(source):
    options = {"groups": 2, "classes": 7}
    with pytest.raises(CheckpointError) as error:
        initialise(CompressedVideo(**options), settings(source, options, ["classify"]), source)
    assert "--initialise_skip classify,tokens.image.group," in str(error.value)


def test_weights_that_the_model_has_no_place_for_have_no_remedy(source):
    options = {"groups": 3, "classes": 5, "modality": "image"}
    with pytest.raises(CheckpointError) as error:
        initialise(CompressedVideo(**options), settings(source, options), source)
    assert "model option modality is 'image', there left at its default" in str(error.value)
    assert "--initialise_skip" not in str(error.value)


def test_another_model_is_named(source):
    with pytest.raises(CheckpointError, match="that run has the model compressed_video, this one tiny"):
        initialise(torch.nn.Linear(2, 2), settings(source, {}, name="tiny"), source)
