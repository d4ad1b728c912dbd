"""What `spikelab erase` prints and draws, on made-up figures."""

from spikelab.report.erase import draw_erasure, erased, mean_course


def course(losses, left):
    points = zip(range(0, 5 * len(losses), 5), losses, strict=True)
    return [{"step": float(step), "loss": loss, "accuracy_on_erased": left} for step, loss in points]


def edit(name, left, edited=(2.0, 1.0, 0.5)):
    return {
        "erased": [name],
        "accuracy_on_erased_before": 0.9,
        "accuracy_on_others_before": 0.8,
        "forms": {
            form: {"accuracy_on_erased": share, "accuracy_on_others": 0.75}
            for form, share in (("literal", 0.6), ("oblique", left))
        },
        "attack": {"edited": course(edited, left), "rows_removed": course((2.0, 1.0, 0.5), 0.0)},
    }


def figures(*edits, **more):
    given = {"run": "run", "folder": "run/erased", "edited_run": None, "form": "oblique", "layer": "readout"}
    return given | {"samples": 40, "samples_seen": 300, "edits": list(edits)} | more


def test_the_accuracy_before_the_edit_stands_in_the_table():
    text = erased(figures(edit("cat", 0.0)))
    assert "before: erased" in text
    row = next(line for line in text.splitlines() if line.startswith("cat"))
    assert row.split()[1:] == ["90.00", "60.00", "0.00", "80.00", "75.00", "75.00"]
    assert "remark" not in text
    assert "edited run" not in text


def test_what_is_left_of_a_class_is_remarked_with_what_helps():
    text = erased(figures(edit("cat", 0.12), edit("dog", 0.05), edited_run="run/erased"))
    assert "more than 5 % is left of cat (12.00 %); more --samples leave less (300 were seen)" in text
    assert "run/erased: the edited run" in text
    assert "--form oblique leaves least" in erased(figures(edit("cat", 0.0), form="literal"))


def test_an_attack_that_diverged_is_remarked(tmp_path):
    found = figures(edit("cat", 0.5, edited=(2.0, None)), edit("dog", 0.1, edited=(2.0, 3.0, 4.0)), edit("owl", 0.0))
    text = erased(found)
    assert "attack (oblique) diverged for cat; dog: its loss grew" in text
    assert "lower --relearn_rate" in text
    assert "(readout rows removed) diverged" not in text
    attacks = [each["attack"] for each in found["edits"]]
    assert mean_course(attacks, "edited") == {0: 0.6 / 3, 5: 0.6 / 3, 10: 0.05}
    draw_erasure(found, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000
