"""What a learning rule costs, apart from time: products for its signals, and memory for going backward."""

from __future__ import annotations

from spikelab.learn.build import build_dataset, build_model, build_rule, build_task, options_from_data
from spikelab.learn.loading import TrainingBatches
from spikelab.learn.rules.memory import peak_kept_by
from spikelab.learn.rules.rule import LearningRule
from spikelab.learn.seeds import random_states, restore_random_states, seed_everything
from spikelab.learn.task import Batch
from spikelab.settings import Train


def first_batch(settings: Train) -> tuple[LearningRule, Batch]:
    """The rule of a training on its model as it is drawn, and the first batch; nothing is trained and nothing written.

    Raises:
        ValueError: If the rule does not take the model or the task.
    """
    before = random_states()
    try:
        dataset = build_dataset(settings.data.name, settings.data.train_split, settings.data.options)
        seed_everything(settings.seed)
        options = options_from_data(settings.model.name, dataset, settings.model.options)
        model = build_model(settings.model.name, options)
        batches = TrainingBatches(dataset, settings.data, settings.seed)
        task = build_task(settings.task, dataset, settings.loss)
        return build_rule(settings.rule, model, task, batches.sample_shapes), next(iter(batches.epoch(0)))
    finally:
        restore_random_states(before)


def rule_costs(settings: Train) -> dict[str, float | int | None]:
    """Measures the rule of a training on its first batch, with the model as it is drawn.

    Args:
        settings: Model, data, task, seed and rule.

    Returns:
        `signal_operations`: multiply-accumulates for the learning signals of a sample (None where not known);
        `kept_bytes`: what autograd keeps for going backward at one moment, at most.

    Raises:
        ValueError: If the rule does not take the model or the task.
    """
    rule, batch = first_batch(settings)
    return {"signal_operations": rule.signal_operations(), "kept_bytes": peak_kept_by(rule, batch)}
