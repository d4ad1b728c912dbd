"""Settings and their files; the registry."""

import dataclasses
import tomllib

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from spikelab import registry, settings
from spikelab.io import settings_file
from spikelab.settings import Data, Evaluate, Loss, Model, Optimiser, Schedule, Train

COMMANDS = [
    kind
    for kind in vars(settings).values()
    if dataclasses.is_dataclass(kind) and kind.__module__ == settings.__name__ and hasattr(kind, "json")
]


@pytest.mark.parametrize("kind", COMMANDS)
def test_round_trip_of_defaults(kind, tmp_path):
    needed = {"run": "runs/x"} if "run" in {entry.name for entry in dataclasses.fields(kind)} else {}
    made = kind(**needed)
    settings_file.write(made, tmp_path / "a.toml")
    assert settings_file.read(kind, tmp_path / "a.toml") == made


def test_round_trip_of_everything_changed(tmp_path):
    made = Train(
        folder='odd "name"\\ä\n',
        initialise_skip=["a.", "b"],
        model=Model("halsie", {"a": 1, "b": 0.1, "c": True, "d": "x", "e": [1, 2], "f": ["y"], "an odd.key": -1e-9}),
        data=Data("camvid", {"path": "C:\\x"}, batch_size=3),
        loss=Loss(0.1, [1.0, 0.5]),
        schedule=Schedule("step", step_epochs=2.5),
    )
    settings_file.write(made, tmp_path / "a.toml")
    assert settings_file.read(Train, tmp_path / "a.toml") == made


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalar = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | text


@hypothesis_settings(max_examples=200, deadline=None)
@given(st.dictionaries(text, scalar | st.lists(st.integers(-9, 9)) | st.lists(text), max_size=5))
def test_whatever_is_written_is_toml_that_reads_the_same(options):
    found = tomllib.loads(settings_file.to_toml(Model("m", options))).get("options", {})
    assert found == options
    assert [type(value) for value in found.values()] == [type(value) for value in options.values()]


def test_optional_fields_default_to_none():
    """TOML has no null: a field that may be None must be None where it is left out, or it would not come back."""
    for kind in vars(settings).values():
        if dataclasses.is_dataclass(kind):
            for entry in dataclasses.fields(kind):
                if "None" in str(entry.type):
                    assert entry.default is None, f"{kind.__name__}.{entry.name}"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Data(batch_size=0), r"data\.batch_size = 0: a batch holds at least 1 sample"),
        (lambda: Data(workers=-1), r"data\.workers = -1: use 0"),
        (lambda: Optimiser(learning_rate=0), r"optimiser\.learning_rate = 0: must be positive"),
        (lambda: Optimiser(momentum=1), r"optimiser\.momentum = 1"),
        (lambda: Loss(label_smoothing=1), r"loss\.label_smoothing = 1"),
        (lambda: Loss(class_weights=[0.0, 0.0]), r"loss\.class_weights = \[0\.0, 0\.0\]: .* not all 0"),
        (lambda: Train(seed=-1), r"seed = -1: use a whole number"),
        (lambda: Train(device="gpu"), r"device = 'gpu': use auto, cpu"),
        (lambda: Train(patience=-2), r"patience = -2: use 0"),
        (lambda: Evaluate("r", energy_batches=-1), r"energy_batches = -1"),
    ],
)
def test_values_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Train().epochs = 3


def test_registry():
    assert "halsie" in registry.names("models")
    with pytest.raises(registry.UnknownNameError, match=r"models: unknown name 'halsy'; did you mean 'halsie'\?"):
        registry.load("models", "halsy")
    with pytest.raises(registry.UnknownNameError, match=r"no registry of 'model'; did you mean 'models'\?"):
        registry.names("model")
    with pytest.raises(registry.UnknownNameError, match=r"neurons: unknown name 'qqqqq'; Known: adaptive_lif, adex"):
        registry.load("neurons", "qqqqq")


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, table in registry.TABLES.items() for name in table])
def test_everything_registered_is_there(kind, name):
    assert registry.load(kind, name) is not None
