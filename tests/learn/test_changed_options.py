"""Data that a run has not learned is told; how often, and where it lies, is not."""

import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from spikelab import registry
from spikelab.learn.changed_options import changed_options, told
from spikelab.learn.restore import open_evaluation_data
from spikelab.settings import Data, EvaluationData

sys.path.append(str(Path(__file__).parent))


def changes(trained, name="moving_shapes", **options):
    return changed_options(Data("moving_shapes", trained), name, options)


def test_defaults_count():
    assert changes({}, accumulate=False) == {"accumulate": (True, False)}
    assert changes({"residual": "rgb"}) == {"residual": ("rgb", "luma")}
    assert changes({"accumulate": False}, accumulate="false") == {}
    assert changes({"crop": [40, 40]}, crop="40,40") == {}
    assert changes({}, accumulate=True) == {}


def test_where_and_how_many_is_no_change():
    assert changes({"samples": 5}, cache="/elsewhere", workers=2, progress=False, samples=7) == {}


def test_another_data_set_counts_by_what_was_asked_for():
    # both have crop and groups, with other defaults; only residual was chosen
    assert changes({"residual": "rgb"}, "action_videos", folder="clips") == {"residual": ("rgb", "luma")}
    assert changes({}, "action_videos", folder="clips", steps=3) == {"steps": (None, 3)}
    # the data of training may be registered no longer
    assert changed_options(Data("gone", {"residual": "rgb"}), "moving_shapes", {}) == {}


def test_in_words():
    assert told({"accumulate": (True, False)}) == "data option accumulate = False (trained with True)"
    two = told({"accumulate": (True, False), "residual": ("rgb", "luma")})
    assert two == "data options accumulate = False (trained with True), residual = 'luma' (trained with 'rgb')"


class Names:
    """A data set of pictures with classes and a size of one's own."""

    def __init__(self, split, names="a,b", size=2, samples=3):
        self.class_names, self.size, self.samples = names.split(","), size, samples

    def __len__(self):
        return self.samples

    def __getitem__(self, index):
        return {"image": torch.zeros(self.size), "label": torch.tensor(0)}


@pytest.fixture
def run(monkeypatch):
    from spikelab.learn.classification import ClassificationTask

    monkeypatch.setitem(registry.TABLES["datasets"], "names", f"{__name__}:Names")
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or SimpleNamespace(Names=Names))

    def trained(model, **options):
        settings = SimpleNamespace(data=Data("names", options), task="classification")
        task = ClassificationTask(Names("train", **options))
        return SimpleNamespace(settings=settings, task=task, model=model, folder=SimpleNamespace(path="runs/a"))

    return trained


def test_an_option_that_the_model_bears_is_a_warning(run):
    class Mean(torch.nn.Linear):
        def forward(self, image):
            return super().forward(image.mean(1, keepdim=True))

    found = "data option size = 5 \\(trained with 2\\): a sample is something else than runs/a has learned"
    with pytest.warns(UserWarning, match=found):
        open_evaluation_data(run(Mean(1, 2)), EvaluationData(options={"size": 5}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_evaluation_data(run(Mean(1, 2)), EvaluationData(options={"samples": 5}))
        open_evaluation_data(run(Mean(1, 2)), EvaluationData(options={"size": 2}))


def test_an_option_that_the_model_does_not_bear_is_named_before_its_tensors(run):
    with pytest.raises(ValueError, match=r"runs/a: does not take data with data option size = 5 \(trained with 2\): "):
        open_evaluation_data(run(torch.nn.Linear(2, 2)), EvaluationData(options={"size": 5}))


def test_other_classes_are_told_by_number_and_first_difference(run):
    before = ",".join(f"class{k}" for k in range(60))
    after = ",".join(f"class{k}" for k in range(59, 18, -1))
    with pytest.raises(ValueError, match="other class_names") as error:
        open_evaluation_data(run(torch.nn.Linear(2, 60), names=before), EvaluationData(options={"names": after}))
    message = str(error.value).partition(" (data option")[0]
    assert message == (
        "data set 'names' has other class_names than runs/a was trained with: 41, not 60, number 0 is 'class59', not "
        "'class0', number 1 is 'class58', not 'class1', number 2 is 'class57', not 'class2', and 38 more"
    )
    with pytest.raises(ValueError, match="the same in another order, number 0 is 'b', not 'a', number 1 is 'a', not"):
        open_evaluation_data(run(torch.nn.Linear(2, 2)), EvaluationData(options={"names": "b,a"}))
