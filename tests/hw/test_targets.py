"""Target files: what is there has sources, and what is wrong with a file of one's own is named."""

from __future__ import annotations

import pytest

from spikelab import registry
from spikelab.hw.placement import resources
from spikelab.hw.target import Number, Target
from spikelab.hw.targets import TargetError, load_target
from spikelab.registry import UnknownNameError

NAMES = registry.names("targets")


def numbers_of(target: Target) -> dict[str, Number]:
    found = {f"limits.{name}": number for name, number in target.limits.items()}
    found |= {f"parameters.{name}": number for name, number in target.parameters.items()}
    found |= {f"chip.{name}": number for name, number in target.chip.items()}
    for k, kind in enumerate(target.cores):
        found |= {f"cores[{k}].count": kind.count}
        found |= {f"cores[{k}].{name}": number for name, number in kind.capacity.items()}
    for resource in target.resources.values():
        found |= {f"{resource.title}.{name}": number for name, number in resource.options.items()}
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_source_and_a_unit(name):
    target = load_target(name)
    assert target.name == name
    assert target.path.name == f"{name}.toml"
    for where, number in numbers_of(target).items():
        assert len(number.source) > 10, where
        assert number.unit, where
    for resource in target.resources.values():
        assert len(resource.source) > 10
        assert resource.cost in resources.COSTS


@pytest.mark.parametrize("name", NAMES)
def test_neurons_and_profile_of_a_target_are_registered(name):
    target = load_target(name)
    for neuron in target.neurons:
        assert registry.load("integer_neurons", neuron).name == neuron
    assert target.profile in registry.names("profiles")


def test_every_file_of_the_folder_is_registered():
    folder = load_target("speck").path.parent
    assert sorted(path.stem for path in folder.glob("*.toml")) == NAMES


def test_what_is_published():
    """Numbers of the reference, typed here once more."""
    loihi = load_target("loihi1")
    assert len(loihi.capacities) == 128
    capacity = {name: number.most for name, number in loihi.capacities[0].items()}
    assert capacity["compartments"] == 1024
    assert capacity["in_axons"] == capacity["out_axons"] == 4096
    assert capacity["synapse_memory"] == 16384 * 64
    speck = load_target("speck").capacities
    assert [core["kernel_memory"].most // 1024 for core in speck] == [16, 16, 16, 32, 32, 64, 64, 16, 16]
    assert [core["neuron_memory"].most // 1024 for core in speck] == [64, 64, 64, 32, 32, 16, 16, 16, 16]
    assert {core["biases"].most for core in speck} == {1024}
    two, three = load_target("xylo_audio2"), load_target("xylo_audio3")
    assert [two.largest(name).most for name in ("hidden_neurons", "output_neurons")] == [1000, 8]
    assert [three.largest(name).most for name in ("hidden_neurons", "output_neurons")] == [992, 32]
    assert (two.limits["inputs"].value, two.limits["fan_out"].value, three.limits["fan_out"].value) == (16, 64, 1024)
    m0 = load_target("cortex_m0_stm32l072")
    assert [m0.largest(name).most for name in ("flash", "ram")] == [192 * 1024, 20 * 1024]


def test_estimates_are_marked():
    loihi2 = load_target("loihi2")
    assert loihi2.status == "estimate"
    assert all(number.status == "estimate" for number in numbers_of(loihi2).values())
    assert load_target("cortex_m4_nrf52840").status_of("flash") == "estimate"
    assert load_target("loihi1").status_of("synapse_memory") == "documented"


def test_an_unknown_name_lists_the_known():
    with pytest.raises(UnknownNameError, match=r"unknown name 'loihi3'; did you mean 'loihi[12]'"):
        load_target("loihi3")


@pytest.fixture
def own(tmp_path):
    """Writes a changed copy of a target's file and gives its path."""

    def write(*changes: tuple[str, str], name="speck"):
        text = load_target(name).path.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_file_of_ones_own(own):
    path = own(('title = "Speck 2e/2f (DYNAP-CNN)"', 'title = "Half a Speck"'), ("value = 16384", "value = 8192"))
    target = load_target(path)
    assert target.title == "Half a Speck"
    assert target.capacities[0]["kernel_memory"].most == 8192
    assert load_target(str(path)).title == target.title


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('packing = "matching"', 'packin = "matching"', r"unknown key 'packin'; did you mean 'packing'\?"),
        ('packing = "matching"', 'packing = "tight"', r"packing = 'tight': .*Known: matching, shared, whole"),
        ("kernel_side = {", "kernel_size = {", r"limits: unknown key 'kernel_size'; did you mean 'kernel_side'\?"),
        ('cost = "speck_biases"', 'cost = "speck_bias"', r"cost = 'speck_bias': did you mean 'speck_biases'\?"),
        ('source = "network"', 'source = "netwrk"', r"destinations.source = 'netwrk': .* did you mean 'network'\?"),
        ("features = { value = 1024", 'features = { value = "1k"', r"features.value = '1k' must be a whole number"),
        (
            "features = { value = 1024",
            "features = { valu = 1024",
            r"features: unknown key 'valu'; did you mean 'value'",
        ),
        ('neurons = ["speck_if"]', 'neurons = ["speck_lif"]', r"neurons = 'speck_lif': did you mean"),
        ("biases = { value = 1024", "biasses = { value = 1024", r"capacity: unknown key 'biasses'.*'biases'"),
        ("value = [-128, 127]", "value = 127", r"parameters.bias: value must be \[smallest, largest\]"),
        ('title = "kernel memory"', "title = 3", r"resources.kernel_memory.title = 3 must be a text"),
        ('status = "documented"', 'status = "guess"', r"status = 'guess'"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(own, old, new, message):
    path = own((old, new))
    with pytest.raises(TargetError, match=message) as error:
        load_target(path)
    assert str(path) in str(error.value)


def test_all_that_is_wrong_is_named_at_once(own):
    path = own(
        ('title = "kernel memory"', "titel = 3"), ('packing = "matching"', "packing = 1"), ("[limits]", "[limit]")
    )
    with pytest.raises(TargetError) as error:
        load_target(path)
    assert [part in str(error.value) for part in ("'titel'", "packing = 1", "'limit'")] == [True] * 3


def test_options_of_a_cost_are_checked(own):
    path = own(("header_bits = {", "heading_bits = {"), name="loihi1")
    with pytest.raises(TargetError, match=r"'heading_bits'; did you mean 'header_bits'") as error:
        load_target(path)
    assert "options.header_bits is missing" in str(error.value)


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"name = 1\nlimits = 3\ncores = 4"])
def test_a_damaged_file_is_an_error(tmp_path, content):
    path = tmp_path / "own.toml"
    path.write_bytes(content)
    with pytest.raises(TargetError, match=r"own\.toml"):
        load_target(path)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(TargetError, match="cannot be read"):
        load_target(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('neurons = ["speck_if"]', "neurons = []", "neurons: there is none"),
        ("[limits]", "[mesh]\nvalue = [3]\nunit = 'cores'\nsource = 'config'\n[limits]", r"mesh.value = \[3\] must be"),
        ("value = 3, unit", "value = 0, unit", r"cores\[0\].count = 0 must be 1 or more"),
        (
            'biases = { value = 1024, unit = "biases of 8 bits", source = "constraints" }',
            "",
            "capacity.biases is missing",
        ),
        ('steps = "There are none', '# "There are none', "steps is missing"),
    ],
)
def test_what_is_missing_is_named(own, old, new, message):
    with pytest.raises(TargetError, match=message):
        load_target(own((old, new)))


def test_an_empty_file_needs_everything(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("")
    with pytest.raises(TargetError) as error:
        load_target(path)
    for key in ("name", "title", "status", "profile", "steps", "packing", "neurons", "resources", "cores"):
        assert f"own.toml: {key}" in str(error.value)
