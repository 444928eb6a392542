"""Training: what it sees, what it keeps, and that it repeats itself bit for bit."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from vae import datasets
from vae.datasets.faces import SPLITS
from vae.errors import VisageError
from vae.latent.arrays import evaluate
from vae.models.likelihoods import LIKELIHOODS
from vae.models.objective import OBJECTIVES, elbo
from vae.training import loop
from vae.training.gradient import gradient_of
from vae.training.loop import TrainingState, evaluation_interval, is_due, minibatches, train
from vae.training.recipes import RECIPE_WORDS, RECIPES, TrainingConfig, recipe_for

SHAPE = (28, 23)


@pytest.fixture(scope="module")
def sets():
    return datasets.load("olivetti").split()


def configured(**choices) -> TrainingConfig:
    return TrainingConfig(
        **{"dataset": "olivetti", "hidden_dims": (20,), "steps": 60, "batch_size": 50} | choices
    )


def finished(sets, **choices) -> TrainingState:
    state = TrainingState(configured(**choices), SHAPE)
    for _ in train(state, *sets):
        pass
    return state


@pytest.mark.parametrize("recipe", RECIPES)
def test_training_raises_the_elbo(sets, recipe):
    state = TrainingState(configured(recipe=recipe, steps=300), SHAPE)
    before = evaluate(state.averaged, sets[1])["elbo"].mean()
    news = list(train(state, *sets))
    after = evaluate(state.averaged, sets[1])["elbo"].mean()
    assert after > before + 50
    assert news[-1].elbo > news[0].elbo
    assert news[-1].step == state.step == 300
    assert news[-1].samples == 300 * 50
    measured = [one.heldout_elbo for one in news if one.heldout_elbo is not None]
    assert state.best_objective == max(measured)
    for one in news:
        assert one.elbo == pytest.approx(one.log_likelihood - one.kl)


def test_every_recipe_has_words_for_the_form():
    assert set(RECIPE_WORDS) == set(RECIPES)


def test_another_objective_is_trained_by_autograd(sets, monkeypatch):
    def weighted(model, x, noise, encoder_input):
        terms = elbo(model, x, noise, encoder_input)
        return terms, terms.log_likelihood - 30 * terms.kl

    monkeypatch.setitem(OBJECTIVES, "weighted", weighted)
    recipe = dataclasses.replace(RECIPES["adam"], objective="weighted")
    plain, other = (
        finished(sets, steps=300, whole_recipe=whole) for whole in (RECIPES["adam"], recipe)
    )
    plain, other = (evaluate(state.averaged, sets[0])["kl"].mean() for state in (plain, other))
    assert other < 0.5 * plain
    with pytest.raises(VisageError, match="An objective is one of"):
        dataclasses.replace(recipe, objective="magic")


def test_a_recipe_may_take_several_samples_of_an_image(sets):
    recipe = dataclasses.replace(RECIPES["adam"], samples=3)
    state = TrainingState(configured(whole_recipe=recipe), SHAPE)
    x, seen, noise = next(minibatches(sets[0], state))
    assert noise.shape == (3, 50, 2)
    gradient = gradient_of(state.model, 50, samples=3)
    terms = elbo(state.model, x, noise, seen)
    expected = torch.stack(terms).mean(dim=1)
    torch.testing.assert_close(gradient(x, noise, seen), expected)
    whole = finished(sets, whole_recipe=recipe)
    # Begun again half-way, it goes on with the same noise.
    half = TrainingState(configured(whole_recipe=recipe), SHAPE)
    for progress in train(half, *sets):
        if progress.step >= 20:
            break
    other = TrainingState(configured(whole_recipe=recipe), SHAPE)
    other.restore(half.tensors())
    for _ in train(other, *sets):
        pass
    assert torch.equal(other.weights, whole.weights)
    with pytest.raises(VisageError, match="at least 1, not 0"):
        dataclasses.replace(recipe, samples=0)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_seed_gives_the_same_weights_bit_for_bit(sets, recipe):
    first, again, other = (finished(sets, recipe=recipe, seed=seed).weights for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("stop", [1, 5, 20])
def test_a_restored_state_ends_where_an_uninterrupted_one_does(sets, recipe, stop):
    whole = finished(sets, recipe=recipe)
    state = TrainingState(configured(recipe=recipe), SHAPE)
    for progress in train(state, *sets):
        if progress.step == stop:
            break
    tensors = state.tensors()
    state = TrainingState(configured(recipe=recipe), SHAPE)
    state.restore(tensors)
    assert state.step == stop
    for _ in train(state, *sets):
        pass
    assert torch.equal(whole.weights, state.weights)
    assert torch.equal(whole.best, state.best)
    assert whole.best_step == state.best_step


def test_looking_at_the_state_changes_nothing(sets):
    state = TrainingState(configured(), SHAPE)
    for _ in train(state, *sets):
        weights, average = state.weights.clone(), state.average.clone()
        evaluate(state.averaged, sets[0])
        state._evaluated_at = -1
        evaluate(state.averaged, sets[0])
        assert torch.equal(state.weights, weights)
        assert torch.equal(state.average, average)
        state.tensors()
        state.best_model()
    assert torch.equal(state.weights, finished(sets).weights)


def test_the_evaluated_model_takes_plain_pixels(sets):
    state = finished(sets)
    x = torch.from_numpy(sets[1])
    seen = x - state.model.mean_image
    state.average.copy_(state.weights)
    state.restore(state.tensors())
    expected = state.model.encode_centred(seen)
    torch.testing.assert_close(state.averaged.encode(x), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(state.best_model().mean_image, state.model.mean_image)


def test_a_state_of_before_the_mean_image_was_the_model_s_own_goes_on(sets):
    state = finished(sets)
    old = state.tensors()
    old["centre"] = old.pop("mean_image")
    resumed = TrainingState(state.config, SHAPE)
    resumed.restore(old)
    x = torch.from_numpy(sets[1])
    torch.testing.assert_close(resumed.averaged.encode(x), state.averaged.encode(x))
    # Its best weights had the mean image folded in: their checkpoint is left as it is.
    assert len(resumed.best) == 0
    assert resumed.best_objective == state.best_objective


def test_the_best_model_is_kept(sets):
    state = finished(sets, steps=200)
    found = evaluate(state.best_model(), sets[1], samples=1)["elbo"].mean()
    assert found == pytest.approx(state.best_objective, rel=1e-6)


def test_an_epoch_shows_each_image_once(sets):
    images = np.arange(210, dtype=np.float32)[:, None].repeat(28 * 23, 1)
    state = TrainingState(configured(steps=8), SHAPE)
    seen = []
    for x, _, noise in minibatches(images, state):
        assert noise.shape == (50, 2)
        seen.append(x[:, 0])
        state.step += 1
    first, second = torch.cat(seen[:4]), torch.cat(seen[4:])
    assert len(first.unique()) == len(second.unique()) == 200
    assert not torch.equal(first, second)


def test_the_encoder_sees_noise_and_the_likelihood_does_not(sets):
    state = TrainingState(configured(), SHAPE)
    state.fit_to(sets[0])
    x, seen, _ = next(minibatches(sets[0], state))
    noise = seen + state.model.mean_image - x
    assert noise.std() == pytest.approx(state.recipe.input_noise, rel=0.05)
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert x.min() >= 0
    assert x.max() <= 1


def test_the_paper_s_recipe_is_the_article_s():
    recipe = RECIPES["paper"]
    assert recipe.optimizer == "adagrad"
    assert recipe.learning_rate == 0.01
    assert recipe.encoder_weight_decay == 0.5
    assert recipe.hidden_dims == (200,)
    assert TrainingConfig().batch_size == 100
    assert not recipe.fit_to_data
    assert recipe.input_noise == recipe.averaging == 0


def test_the_paper_s_recipe_takes_torch_s_own_adagrad_steps(sets):
    """The flat buffers and the gradient by hand against the plainest PyTorch."""
    state = TrainingState(configured(recipe="paper", steps=5), SHAPE)
    plain = TrainingState(configured(recipe="paper", steps=5), SHAPE).averaged
    plain.requires_grad_(True)
    optimizer = torch.optim.Adagrad(
        [
            {"params": plain.encoder.parameters(), "weight_decay": 0.5},
            {"params": plain.decoder.parameters()},
        ],
        lr=0.01,
    )
    from vae.models.objective import elbo

    drawing = TrainingState(configured(recipe="paper", steps=5), SHAPE)
    for x, _, noise in minibatches(sets[0], drawing):
        optimizer.zero_grad()
        (-elbo(plain, x, noise).elbo.mean()).backward()
        optimizer.step()
        drawing.step += 1
    for _ in train(state, *sets):
        pass
    expected = torch.nn.utils.parameters_to_vector(plain.parameters())
    torch.testing.assert_close(state.weights, expected.detach(), rtol=1e-3, atol=1e-5)


def test_the_learning_rate_warms_up_and_falls_to_zero():
    state = TrainingState(configured(steps=2000), SHAPE)
    rates = []
    for state.step in range(2000):
        rates.append(state.learning_rate())
    top = state.recipe.warmup_steps
    assert np.argmax(rates) in (top - 1, top)
    assert (np.diff(rates[:top]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert rates[-1] < 1e-3 * max(rates)


@pytest.mark.parametrize("rate", [1e6, 1e30])
def test_a_loss_that_is_no_number_ends_training_with_a_sentence(sets, rate):
    state = TrainingState(configured(recipe="paper", learning_rate=rate, steps=500), SHAPE)
    with pytest.raises(VisageError, match="try a lower learning rate"):
        list(train(state, *sets))


def test_a_batch_larger_than_the_set_gets_a_sentence(sets):
    state = TrainingState(configured(batch_size=361), SHAPE)
    with pytest.raises(VisageError, match="larger than the training set of 360"):
        list(train(state, *sets))


@pytest.mark.parametrize(
    "choice",
    [
        {"latent_dim": 0},
        {"hidden_dims": (0,)},
        {"hidden_dims": ()},
        {"steps": 0},
        {"steps": -5},
        {"batch_size": 0},
        {"holdout": 0},
        {"holdout": 1},
        {"holdout": math.nan},
        {"split": "middle"},
        {"test": -0.1},
        {"test": 0.9},
        {"test": math.nan},
        {"learning_rate": 0},
        {"learning_rate": -1},
        {"learning_rate": math.nan},
        {"recipe": "secret"},
        {"seed": -1},
    ],
)
def test_impossible_choices_get_a_sentence(choice):
    with pytest.raises(VisageError):
        configured(**choice)


def test_a_run_begun_before_there_was_a_test_set_has_none():
    assert [configured(split=how).test for how in SPLITS] == [0.1, 0.2, 0.2, 0.2]
    assert configured(split="last", test=0).test == 0
    told = dataclasses.asdict(configured(split="last"))
    assert TrainingConfig.of(told) == configured(split="last")
    del told["test"]
    assert TrainingConfig.of(told) == configured(split="last", test=0)


def test_a_device_that_is_not_here_gets_a_sentence():
    with pytest.raises(VisageError, match="device"):
        TrainingState(configured(device="abacus"), SHAPE)


def test_a_state_of_another_configuration_is_refused(sets):
    tensors = finished(sets).tensors()
    with pytest.raises(VisageError, match="not of this configuration"):
        TrainingState(configured(hidden_dims=(21,)), SHAPE).restore(tensors)


def test_recipes_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RECIPES["paper"].learning_rate = 1


def test_events_come_often_early_and_evenly_later():
    due = [step for step in range(1, 801) if is_due(step, 100)]
    assert due == [1, 2, 5, 10, 20, *range(25, 500, 25), 500, 600, 700, 800]


def test_evaluations_stay_a_small_share_of_the_work():
    for heldout in (40, 196, 10_000, 1_000_000):
        assert heldout / (3 * 100) <= evaluation_interval(heldout, 100) / 50


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_each_likelihood_is_trained_and_raises_the_elbo(sets, likelihood):
    state = TrainingState(configured(likelihood=likelihood, steps=200), SHAPE)
    news = list(train(state, *sets))
    assert news[-1].step == 200
    assert news[-1].elbo > news[0].elbo + 50


def test_the_noise_is_learnt_last_and_the_faces_stay_as_they_were(sets):
    state = TrainingState(configured(likelihood="correlated", steps=400), SHAPE)
    z = torch.randn(5, 2)
    seen = []
    for progress in train(state, *sets):
        with torch.no_grad():
            seen.append((progress.step, state.noise_since, state.averaged.decode(z).mean))
    before = [mean for _, since, mean in seen if since is None]
    after = [mean for _, since, mean in seen if since is not None]
    assert len(before) > 2 and len(after) > 2
    assert not torch.equal(before[0], before[-1])
    # The weights are the same; how many threads share a product may change its last bit.
    for mean in after:
        torch.testing.assert_close(mean, after[0], rtol=0, atol=1e-6)
    assert state.noise_since == 200
    # And it is worth it: neighbours tell much of a pixel.
    assert state.best_step > 200
    assert state.model.likelihood.weights.abs().max() > 0.01
    whole = evaluate(state.best_model(), sets[1])["elbo"].mean()
    gaussian = finished(sets, steps=200)
    assert whole > evaluate(gaussian.best_model(), sets[1])["elbo"].mean() + 50


def test_until_then_correlated_noise_is_trained_as_the_gaussian(sets):
    state = TrainingState(configured(likelihood="correlated", steps=60), SHAPE)
    for progress in train(state, *sets):
        if progress.step == 20:
            found = state.weights.clone()
            break
    gaussian = TrainingState(configured(steps=30), SHAPE)
    for progress in train(gaussian, *sets):
        if progress.step == 20:
            wanted = gaussian.weights
            break
    torch.testing.assert_close(found[: len(wanted)], wanted)
    assert not found[len(wanted) :].any()


@pytest.mark.parametrize("choice", [{"activation": "silu"}, {"network": "gated"}])
def test_so_it_is_where_autograd_takes_the_gradient(sets, choice):
    state = TrainingState(configured(likelihood="correlated", steps=60, **choice), SHAPE)
    for progress in train(state, *sets):
        if progress.step == 20:
            break
    assert not state.model.likelihood.weights.any()


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("stop", [20, 30, 35])
def test_a_state_restored_before_or_within_the_noises_stage_ends_alike(sets, recipe, stop):
    chosen = {"recipe": recipe, "likelihood": "correlated"}
    whole = finished(sets, **chosen)
    first = TrainingState(configured(**chosen), SHAPE)
    for progress in train(first, *sets):
        if progress.step >= stop:
            break
    second = TrainingState(configured(**chosen), SHAPE)
    second.restore(first.tensors())
    for _ in train(second, *sets):
        pass
    assert torch.equal(second.weights, whole.weights)
    assert torch.equal(second.best, whole.best)


def test_more_steps_after_its_stage_learn_the_noise_further(sets):
    state = finished(sets, likelihood="correlated")
    assert state.noise_since == 30
    longer = TrainingState(configured(likelihood="correlated", steps=200), SHAPE)
    longer.restore(state.tensors())
    for _ in train(longer, *sets):
        pass
    assert (longer.step, longer.noise_since) == (200, 30)


def test_the_noises_stage_comes_on_top_of_the_recipes_steps():
    assert TrainingConfig(likelihood="correlated").steps == TrainingConfig().steps + 500
    assert TrainingConfig(likelihood="correlated").noise_steps == 500
    assert TrainingConfig().noise_steps == 0


def test_beta_is_climbed_chosen_by_and_not_recorded(sets):
    plain, heavy = (finished(sets, steps=300, recipe="adam", beta=beta) for beta in (1, 20))
    judged = [evaluate(state.averaged, sets[1], samples=1) for state in (plain, heavy)]
    kl = [found["kl"].mean() for found in judged]
    assert kl[1] < 0.6 * kl[0]
    state = TrainingState(configured(recipe="adam", beta=20, steps=200), SHAPE)
    news = [one for one in train(state, *sets) if one.heldout_elbo is not None]
    for one in news:
        assert one.elbo == pytest.approx(one.log_likelihood - one.kl)
        assert one.heldout_elbo == pytest.approx(one.heldout_log_likelihood - one.heldout_kl)
        weighed = one.heldout_log_likelihood - 20 * one.heldout_kl
        assert one.heldout_objective == pytest.approx(weighed, abs=1e-3)
    best = max(news, key=lambda one: one.heldout_objective)
    assert (state.best_step, state.best_objective) == (best.step, best.heldout_objective)


def test_beta_rises_and_a_resumed_run_knows_how_far(sets):
    state = TrainingState(configured(beta=4, beta_warmup=40), SHAPE)
    assert state.beta() == pytest.approx(0.1)
    state.step = 19
    assert state.beta() == pytest.approx(2)
    state.step = 50
    assert state.beta() == 4


def test_the_importance_weighted_bound_is_trained_and_chosen_by(sets):
    state = TrainingState(configured(recipe="adam", objective="iwae", steps=200), SHAPE)
    assert state.config.samples == 5 and not state.config.maximises_elbo
    assert next(minibatches(sets[0], state))[2].shape == (5, 50, 2)
    news = [one for one in train(state, *sets) if one.heldout_elbo is not None]
    assert all(one.heldout_objective >= one.heldout_elbo for one in news)
    assert state.best_objective == max(one.heldout_objective for one in news)
    assert news[-1].elbo > news[0].elbo + 50


@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_another_activation_is_trained(sets, activation):
    state = finished(sets, recipe="adam", activation=activation, steps=200)
    assert state.model.architecture.network.activation == activation
    assert evaluate(state.averaged, sets[1])["elbo"].mean() > 0


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"beta": -1}, "β must be 0 or more"),
        ({"beta": math.nan}, "β must be 0 or more"),
        ({"beta_warmup": -1}, "β rises in 0 steps or more"),
        ({"objective": "magic"}, "An objective is one of"),
        ({"objective": "iwae", "beta": 2}, "leave β at 1"),
        ({"samples": 0}, "samples an image must be a whole number"),
        ({"activation": "sin"}, "An activation is one of tanh"),
        ({"training_images": 0}, "at least 1 training image"),
    ],
)
def test_a_knob_that_can_t_be_turned_so_far_gets_a_sentence(choice, sentence):
    with pytest.raises(VisageError, match=sentence):
        configured(**choice)


def test_what_the_recipe_sets_and_what_differs_is_said():
    assert TrainingConfig(latent_dim=10).recipe_in_words() == (
        "For 10 latents the recipe default sets layers of 300 300, a learning rate of 0.004, "
        "minibatches of 100, tanh, 4,000 steps."
    )
    said = TrainingConfig(hidden_dims=(50,), learning_rate=0.01).recipe_in_words()
    assert "layers of 200 200 200 (here 50), a learning rate of 0.008 (here 0.01)" in said


def test_weight_decay_holds_the_networks_that_it_is_of(sets):
    def norms(**changes) -> tuple[float, float]:
        recipe = dataclasses.replace(RECIPES["adam"], **changes)
        model = finished(sets, whole_recipe=recipe).model
        return tuple(
            sum(float(weight.detach().square().sum()) for weight in network.parameters())
            for network in (model.encoder, model.decoder)
        )

    encoder, decoder = norms()
    assert norms(encoder_weight_decay=100.0)[0] < 0.8 * encoder
    assert norms(decoder_weight_decay=100.0)[1] < 0.8 * decoder


def test_a_stretch_held_out_asks_for_another_recipe_and_changes_no_other():
    usual = recipe_for("default", 2), recipe_for("default", 10)
    assert recipe_for("default", 2, "last").decoder_weight_decay > usual[0].decoder_weight_decay
    assert recipe_for("default", 10, "blocks").hidden_dims == usual[1].hidden_dims
    assert recipe_for("paper", 2, "last") == RECIPES["paper"]
    assert (recipe_for("default", 2), recipe_for("default", 10)) == usual


def overfitting(**choices) -> tuple[TrainingState, tuple[np.ndarray, np.ndarray]]:
    """A state that soon does nothing but overfit: noise can be learnt by heart alone."""
    noise = np.random.default_rng(0).random((80, 4), dtype=np.float32)
    recipe = dataclasses.replace(RECIPES["default"], patience=0.5, warmup_steps=0)
    config = configured(
        **{"steps": 20_000, "batch_size": 20, "hidden_dims": (60,), "whole_recipe": recipe}
        | choices
    )
    return TrainingState(config, (2, 2)), (noise[:40], noise[40:])


def test_a_run_ends_with_its_best_step_once_validation_has_said_enough(monkeypatch):
    monkeypatch.setattr(loop, "LEAST_PATIENCE", 100)
    state, sets = overfitting()
    news = list(train(state, *sets))
    assert state.is_over
    assert state.best_step * 1.5 + 100 < state.step < 20_000
    assert news[-1].step == state.step
    assert torch.equal(state.average, state.best)
    assert evaluate(state.averaged, sets[1], samples=1)["elbo"].mean() == pytest.approx(
        state.best_objective
    )
    # A restored one knows that it is over; with more steps it goes on, patient again.
    again, _ = overfitting()
    again.restore(state.tensors())
    assert again.is_over
    assert list(train(again, *sets)) == []
    longer, _ = overfitting(steps=30_000)
    longer.restore(state.tensors())
    assert not longer.is_over
    assert list(train(longer, *sets))[-1].step > state.step + 100


def test_without_patience_a_run_takes_all_its_steps(monkeypatch):
    monkeypatch.setattr(loop, "LEAST_PATIENCE", 100)
    recipe = dataclasses.replace(RECIPES["default"], patience=0.0, warmup_steps=0)
    state, sets = overfitting(steps=1000, whole_recipe=recipe)
    list(train(state, *sets))
    assert state.step == 1000
    assert state.best_step < 500


def test_fewer_training_images_are_some_of_them_and_the_other_sets_stay():
    faces = datasets.load("olivetti")
    whole = faces.splits_indices()
    few = whole.learning_from(50)
    assert len(few.training) == len(set(few.training)) == 50
    assert set(few.training) <= set(whole.training)
    assert few.validation is whole.validation and few.test is whole.test
    with pytest.raises(VisageError, match="There are 320 training images"):
        whole.learning_from(321)
