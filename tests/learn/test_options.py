"""Options of registered things are checked against the signatures that take them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from spikelab.cli import main
from spikelab.learn.build import build_dataset, build_model
from spikelab.learn.options import checked_options


class Something:
    def __init__(
        self,
        model: object,
        widths: Sequence[int] = (1,),
        rates: Sequence[float] | None = None,
        names: Sequence[str] | str = (),
        crop: tuple[int, int] | None = None,
        share: float = 0.5,
        steps: int = 1,
        kind: Literal["one", "two"] = "one",
        on: bool = False,
        path: str | Path | None = None,
        anything=None,
    ):
        pass


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"widths": [3, 4]}, [3, 4]),
        ({"widths": 3}, [3]),
        ({"widths": "3,4"}, [3, 4]),
        ({"widths": "[3, 4]"}, [3, 4]),
        ({"rates": 1}, [1.0]),
        ({"rates": None}, None),
        ({"crop": "none"}, None),
        ({"names": "a,b"}, "a,b"),
        ({"crop": [3, 4]}, (3, 4)),
        ({"crop": "3,4"}, (3, 4)),
        ({"share": 1}, 1.0),
        ({"steps": 7}, 7),
        ({"kind": "two"}, "two"),
        ({"on": True}, True),
        ({"path": "here"}, "here"),
        ({"path": Path("here")}, Path("here")),
        ({"anything": "goes"}, "goes"),
    ],
    ids=str,
)
def test_values_of_the_right_type_and_lists_as_they_are_typed(given, expected):
    assert checked_options(Something, given, "thing", own=["model"]) == dict.fromkeys(given, expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"widths": "a,b"}, "thing: widths = 'a,b': takes a list of whole numbers, such as"),
        ({"widths": [1.5]}, "widths = .*takes a list of whole numbers"),
        ({"crop": 3}, "crop = 3: takes 2 whole numbers, such as .* or none"),
        ({"share": "much"}, "share = 'much': takes a number"),
        ({"steps": 2.5}, "steps = 2.5: takes a whole number"),
        ({"steps": True}, "steps = True: takes a whole number"),
        ({"kind": "three"}, "kind = 'three': takes one of one, two"),
        ({"on": 1}, "on = 1: takes true or false"),
        ({"width": 3}, "thing has no option 'width'; did you mean 'widths'"),
        ({"model": 3}, "thing has no option 'model'"),
    ],
    ids=str,
)
def test_others_are_refused_by_name_value_and_type(given, message):
    with pytest.raises(ValueError, match=message):
        checked_options(Something, given, "thing", own=["model"])


def test_a_single_width_is_a_list_of_one():
    shapes = {"image_shape": [1, 8, 8], "classes": 3}
    one, two = (build_model("spiking_classifier", {"hidden": hidden, **shapes}) for hidden in (20, "20,30"))
    assert sum(p.numel() for p in one.parameters()) < sum(p.numel() for p in two.parameters())


def test_data_sets_say_what_they_take():
    with pytest.raises(ValueError, match="data set 'drawn_digits': train = 'lots': takes a whole number"):
        build_dataset("drawn_digits", "train", {"train": "lots"})


def test_lists_that_are_given_in_parts_are_refused(capsys):
    assert main(["erase", "runs/x", "--class", "3", "--class", "5"]) == 2
    assert "--classes is given 2 times; give all at once: --classes A,B" in capsys.readouterr().err
