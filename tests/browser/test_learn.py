"""The lesson in a real Chromium: its figures are the library's, and hands and keys work."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from scipy.integrate import simpson

from benchmarks import lesson_recordings
from tests.conftest import link_frey
from vae import elbo, load_checkpoint
from vae.latent.evidence import judge
from vae.models.gaussian import Gaussian
from vae.models.vae import VAE

ROOT = Path(__file__).parents[2]

# What stands behind the screen: `held(box)` of the lesson's element.
HELD = """box => {
    const { lesson } = (box.getRootNode().host ?? box.parentElement).visageLesson;
    const step = lesson.steps[1];
    const { subject } = lesson;
    const { given, nodes } = subject;
    const answer = subject.answers.get(given);
    return {
        x: [...given.x], z: given.z, q: step.hand.q, terms: step.terms,
        noise: [...nodes.noise], weights: [...nodes.weights],
        logPx: answer?.evidence.logPx, peak: answer?.evidence.peak,
        curvature: answer?.evidence.curvature, best: answer?.best, encoder: answer?.encoder,
    };
}"""


@pytest.fixture(scope="module")
def app(app_server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data, runs = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("runs")
    link_frey(data)
    folders = {"VISAGE_DATA": str(data), "VISAGE_RUNS": str(runs), "VISAGE_READ_ONLY": ""}
    with app_server(ROOT / "app.py", folders) as address:
        yield address


@pytest.fixture(scope="module")
def model() -> VAE:
    return load_checkpoint(ROOT / "checkpoints" / "frey-2d.safetensors").model.double()


@pytest.fixture
def lesson(page: Page) -> Iterator[Page]:
    """A page that takes note of what goes wrong in it."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    assert not problems


def opened(page: Page, app: str, step: str) -> Page:
    page.goto(f"{app}/learn{step}")
    expect(page.locator(".lesson")).to_have_attribute("data-state", "ready")
    return page


def known(page: Page) -> dict:
    """What the step holds once all of the face is known."""
    expect(page.locator("[data-step=infer]")).to_have_attribute("data-state", "known")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    return page.locator(".lesson").evaluate(HELD)


def figure(page: Page, name: str) -> float:
    text = page.locator(f"section:visible [data-figure={name}]").inner_text()
    return float(text.replace(",", "").replace("−", "-"))


def library_elbo(model: VAE, held: dict, q: dict) -> dict[str, float]:
    """The ELBO of q by the noise that the browser had."""
    posterior = Gaussian(
        torch.tensor([q["mean"]]).double(), 2 * torch.tensor([q["deviation"]]).double().log()
    )
    noise = torch.tensor(held["noise"]).double().reshape(-1, 1, 2)
    x = torch.tensor([held["x"]]).double()
    found = model.decode(posterior.sample(noise)).log_prob(x)[:, 0]
    likelihood = float(torch.tensor(held["weights"]).double() @ found)
    kl = float(posterior.kl_from_prior().sum())
    return {"logLikelihood": likelihood, "kl": kl, "elbo": likelihood - kl}


def integral(model: VAE, x: list[float], peak: list[float], curvature: list[float]) -> float:
    """log p(x) by SciPy: Simpson's rule on a fine grid around a peak."""
    xx, xy, yy = curvature
    covariance = np.linalg.inv(np.array([[xx, xy], [xy, yy]]))
    axes = [
        np.linspace(at - 12 * deviation, at + 12 * deviation, 161)
        for at, deviation in zip(peak, np.sqrt(np.diag(covariance)), strict=True)
    ]
    z = torch.tensor(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2))
    image = torch.tensor([x]).double()
    value = torch.cat(
        [
            model.decode(part).log_prob(image) - part.square().sum(dim=1) / 2
            for part in z.split(4000)
        ]
    )
    value = value.reshape(161, 161).numpy() - np.log(2 * np.pi)
    highest = value.max()
    inner = simpson(np.exp(value - highest), x=axes[1])
    return float(highest + np.log(simpson(inner, x=axes[0])))


@torch.no_grad()
def test_the_figures_are_the_librarys(lesson, app, model):
    page = opened(lesson, app, "?step=2")
    held = known(page)
    # q is the prior at first.
    assert held["q"] == {"mean": [0, 0], "deviation": [1, 1]}
    assert held["terms"]["kl"] == 0
    for press in (None, "Let the encoder try", "Climb"):
        if press:
            page.get_by_role("button", name=press).click()
            expect(page.locator("[data-step=infer] .said")).not_to_be_empty()
        held = known(page)
        expected = library_elbo(model, held, held["q"])
        for name, value in expected.items():
            assert held["terms"][name] == pytest.approx(value, abs=1e-3)
        assert figure(page, "likelihood") == pytest.approx(expected["logLikelihood"], abs=0.06)
        assert figure(page, "kl") == pytest.approx(expected["kl"], abs=0.06)
        assert figure(page, "elbo") == pytest.approx(expected["elbo"], abs=0.06)
        assert figure(page, "gap") == pytest.approx(held["logPx"] - expected["elbo"], abs=0.06)
    expected = integral(model, held["x"], held["peak"], held["curvature"])
    assert held["logPx"] == pytest.approx(expected, abs=0.1)
    assert figure(page, "px") == pytest.approx(expected, abs=0.15)


def test_every_face_is_judged_as_the_library_does(lesson, app):
    page = opened(lesson, app, "?step=2")
    faces = page.locator(".faces button")
    assert faces.count() >= 8
    found = []
    for place in range(faces.count()):
        faces.nth(place).click()
        expect(faces.nth(place)).to_have_attribute("aria-pressed", "true")
        found.append(known(page))
    single = load_checkpoint(ROOT / "checkpoints" / "frey-2d.safetensors").model
    evidence = judge(single, np.array([held["x"] for held in found], dtype=np.float32))
    assert [held["logPx"] for held in found] == pytest.approx(evidence.log_px, abs=0.1)
    best = np.array([held["best"]["terms"]["elbo"] for held in found])
    assert (best > evidence.refined_elbo - 0.1).all()
    assert (best < evidence.log_px + 0.01).all()
    encoder = [held["encoder"]["terms"]["elbo"] for held in found]
    assert encoder == pytest.approx(evidence.encoder_elbo, abs=0.05, rel=1e-3)


def test_q_is_dragged_and_stretched(lesson, app):
    page = opened(lesson, app, "?step=2")
    before = known(page)
    box = page.locator("[data-step=infer] .field").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    unit = box["width"] / 8
    # The mean, by its middle: one to the right and half upwards.
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + unit, middle[1] - unit / 2, steps=5)
    page.mouse.up()
    held = known(page)
    assert held["q"]["mean"] == pytest.approx([1, 0.5], abs=0.03)
    assert held["terms"]["kl"] == pytest.approx((1 + 0.25) / 2, abs=0.05)
    # The first deviation, by its square: to a half.
    page.mouse.move(middle[0] + 2 * unit, middle[1] - unit / 2)
    page.mouse.down()
    page.mouse.move(middle[0] + 1.5 * unit, middle[1] - unit / 2, steps=5)
    page.mouse.up()
    held = known(page)
    assert held["q"]["deviation"] == pytest.approx([0.5, 1], abs=0.03)
    assert figure(page, "kl") == pytest.approx(held["terms"]["kl"], abs=0.06)
    assert figure(page, "px") == pytest.approx(before["logPx"], abs=0.06)
    # Keys: a quarter of a deviation, and with Shift a tenth wider.
    field = page.locator("[data-step=infer] .field")
    field.press("ArrowRight")
    field.press("Shift+ArrowUp")
    after = known(page)
    assert after["q"]["mean"][0] == pytest.approx(held["q"]["mean"][0] + 0.125, abs=0.01)
    assert after["q"]["deviation"][1] == pytest.approx(1.1, abs=0.04)


def test_each_step_has_its_link_and_arrow_keys_go_on(lesson, app):
    page = opened(lesson, app, "")
    shown = page.locator(".lesson section:visible h2")
    expect(shown).to_have_text("Generate")
    page.keyboard.press("ArrowRight")
    expect(shown).to_have_text("Infer: be the encoder")
    expect(page).to_have_url(re.compile(r"[?&]step=2\b"))
    page.reload()
    expect(shown).to_have_text("Infer: be the encoder")
    page.keyboard.press("ArrowLeft")
    expect(shown).to_have_text("Generate")
    expect(page).not_to_have_url(re.compile("step="))
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("document.fullscreenElement !== null")
    page.keyboard.press("PageDown")
    expect(shown).to_have_text("Infer: be the encoder")


def test_darts_fall_as_the_prior_says(lesson, app):
    page = opened(lesson, app, "")
    for _ in range(10):
        page.get_by_role("button", name="Throw a hundred").click()
    expect(page.locator(".thrown")).to_have_text("1,001 darts")
    fell = page.locator(".tally td:nth-child(2)").all_inner_texts()
    for count, expected in zip(fell, (0.393, 0.865, 0.989), strict=True):
        share = int(count) / 1001
        assert share == pytest.approx(expected, abs=6 * np.sqrt(expected * (1 - expected) / 1001))


def test_another_model_has_the_lesson_alone(lesson, app):
    page = opened(lesson, app, "")
    box = page.locator(".lesson")
    first = box.evaluate_handle("box => box.getRootNode().host.visageLesson.lesson")
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="olivetti").click()
    expect(box.locator("canvas.mean").first).to_have_attribute("width", "23")
    assert box.count() == 1
    known = first.evaluate("lesson => lesson.steps[0].darts.length")
    page.get_by_role("button", name="Throw a dart").click()
    expect(page.locator(".thrown")).to_have_text("2 darts")
    assert first.evaluate("lesson => lesson.steps[0].darts.length") == known
    # Nor does it draw again, whatever changes in the page.
    colours = "lesson => { lesson.palette = {}; document.documentElement.lang = 'en-GB'; }"
    first.evaluate(colours)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    assert first.evaluate("lesson => Object.keys(lesson.palette)") == []
    # The recorded run is still that of other faces, in their own shape.
    page.locator(".steps button").nth(3).click()
    size = page.locator("[data-step=learn] .now").bounding_box()
    assert size["width"] / size["height"] == pytest.approx(20 / 28, rel=0.02)


def test_what_is_drawn_has_the_colours_of_the_theme_that_is_in_force(lesson, app):
    page = opened(lesson, app, "")
    box = page.locator(".lesson")
    box.evaluate("box => box.parentElement.style.setProperty('--st-text-color', 'rgb(1, 2, 3)')")
    page.wait_for_function(
        """box => box.getRootNode().host.visageLesson.lesson.palette.ink === "rgb(1, 2, 3)" """,
        arg=box.element_handle(),
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_step_fits_a_phone_and_shuts_nobody_out(browser: Browser, app, axe, scheme):
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{app}/learn")
    expect(page.locator(".lesson")).to_have_attribute("data-state", "ready")
    steps = page.locator(".steps button")
    for place in range(steps.count()):
        steps.nth(place).click()
        expect(steps.nth(place)).to_have_attribute("aria-current", "step")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        field = page.locator(".lesson section:visible .field").first.bounding_box()
        assert field["width"] > 300
        passed = axe(page, '[...document.querySelectorAll("*")].find((host) => host.visageLesson)')
        assert "color-contrast" in passed
    context.close()


def test_the_noise_stays_and_the_faces_move_along(lesson, app):
    page = opened(lesson, app, "?step=3")
    sixteen = page.locator(".sixteen canvas")
    expect(sixteen).to_have_count(16)
    held = """box => {
        const { lesson } = (box.getRootNode().host ?? box.parentElement).visageLesson;
        const { hand, noise, found, slope } = lesson.steps[2];
        return { q: hand.q, noise: [...noise], pathwise: [...found.pathwise], slope };
    }"""
    picture = "canvases => canvases.map(canvas => canvas.toDataURL())"
    before, faces = page.locator(".lesson").evaluate(held), sixteen.evaluate_all(picture)
    field = page.locator("[data-step=reparametrise] .field")
    box = field.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    page.wait_for_function("() => new Promise(done => requestAnimationFrame(() => done(true)))")
    after = page.locator(".lesson").evaluate(held)
    assert after["noise"] == before["noise"]
    assert after["q"]["mean"][0] > before["q"]["mean"][0] + 0.1
    assert after["q"]["deviation"] == before["q"]["deviation"]
    assert all(new != old for new, old in zip(sixteen.evaluate_all(picture), faces, strict=True))
    page.get_by_role("button", name="To the encoder’s q").click()
    expect(page.get_by_text("times as widely")).to_be_visible()
    held_there = page.locator(".lesson").evaluate(held)
    # Of fifty estimates through z the mean is about the slope.
    draws = np.array(held_there["pathwise"]).reshape(-1, 2)
    error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
    assert (np.abs(draws.mean(axis=0) - held_there["slope"]) < 6 * error + 1e-6).all()


def test_beyond_the_plane_holes_are_told_and_ways_found(lesson, app):
    page = opened(lesson, app, "?step=6")
    step = page.locator("[data-step=beyond]")
    verdict = step.locator(".verdict")
    expect(verdict).to_contain_text("The data lie here")
    box = step.locator(".field").bounding_box()
    page.mouse.click(box["x"] + 4, box["y"] + 4)
    expect(verdict).to_contain_text("Outside 3σ: fewer than one dart in a million")
    step.get_by_text("Two ways across").click()
    lengths = step.locator(".lengths")
    expect(lengths).to_contain_text("Straight")
    straight, geodesic = map(float, re.findall(r"\d+\.\d+", lengths.inner_text()))
    assert geodesic <= straight
    middle = step.locator(".on-geodesic")
    before = middle.evaluate("canvas => canvas.toDataURL()")
    step.locator("[name=along]").press("End")
    assert middle.evaluate("canvas => canvas.toDataURL()") != before
    ends = [f".on-{way}" for way in ("straight", "geodesic")]
    faces = [step.locator(end).evaluate("canvas => canvas.toDataURL()") for end in ends]
    assert faces[0] == faces[1]
    # The links lead to the app's other pages.
    step.get_by_text("Where to go from here").click()
    step.get_by_role("link", name="Morph").click()
    expect(page).to_have_url(re.compile("/morph"))


def test_the_film_shows_the_run_as_it_was(lesson, app):
    said, models, arrays = lesson_recordings.read("film")
    page = opened(lesson, app, "?step=4")
    step = page.locator("[data-step=learn]")
    expect(step).to_have_attribute("data-state", "known")
    strip = step.locator(".through button")
    expect(strip).to_have_count(len(models))
    held = """(box, place) => {
        const { lesson } = (box.getRootNode().host ?? box.parentElement).visageLesson;
        const { reel } = lesson.steps[3];
        const { mean, deviation } = reel.recorded.decoder(place).decode(reel.whole(), true);
        return {
            z: reel.z, place: reel.place, mean: [...mean], deviation: [...deviation],
            points: [...reel.field.points],
        };
    }"""
    moment = step.locator("[name=moment]")
    # By the slider's keys, by the row of faces, by the curve.
    moment.press("End")
    expect(step.locator("[data-figure=step]")).to_have_text(f"{said['frames'][-1]['at']:,}")
    strip.nth(0).click()
    expect(step.locator("[data-figure=step]")).to_have_text("1")
    curve = step.locator(".curve").bounding_box()
    page.mouse.click(curve["x"] + curve["width"] - 12, curve["y"] + 60)
    expect(moment).to_have_value(f"{len(models) - 1}")
    for place in (0, 5, len(models) - 1):
        strip.nth(place).click()
        field = step.locator(".field").bounding_box()
        spot = 0.3 + 0.05 * place
        page.mouse.click(field["x"] + spot * field["width"], field["y"] + 0.4 * field["height"])
        found = page.locator(".lesson").evaluate(held, place)
        assert found["place"] == place
        assert found["z"] == pytest.approx([8 * spot - 4, 0.8], abs=0.03)
        with torch.no_grad():
            expected = models[place].double().decode(torch.tensor([found["z"]]).double())
        assert found["mean"] == pytest.approx(expected.mean[0].numpy(), abs=1e-5)
        assert found["deviation"] == pytest.approx(
            expected.log_var[0].div(2).exp().numpy(), rel=1e-4
        )
        assert found["points"] == pytest.approx(
            arrays[f"{place}.training"].ravel() * said["unit"], abs=1e-5
        )
        figures = said["frames"][place]
        assert figure(page, "elbo") == pytest.approx(figures["training"]["elbo"], abs=0.06)
        assert figure(page, "heldout") == pytest.approx(figures["heldout"]["elbo"], abs=0.06)
    step.locator("[name=play]").click()
    expect(step.locator("[name=play]")).to_have_text("Stop")
    expect(moment).to_have_value("1")
    step.locator("[name=play]").click()


def test_a_step_in_slow_motion_is_the_librarys(lesson, app):
    _, models, _ = lesson_recordings.read("film")
    page = opened(lesson, app, "?step=4")
    step = page.locator("[data-step=learn]")
    expect(step).to_have_attribute("data-state", "known")
    step.locator(".through button").nth(5).click()
    step.get_by_text("One step in slow motion").click()
    held = """box => {
        const { lesson } = (box.getRootNode().host ?? box.parentElement).visageLesson;
        const { x, epsilon, passed, learner } = lesson.steps[3].slow;
        const plain = Object.fromEntries(Object.entries(passed).map(
            ([name, value]) => [name, ArrayBuffer.isView(value) ? [...value] : value]));
        return {
            x: [...x], epsilon: [...epsilon], ...plain, seen: 0, made: 0,
            steepness: learner.steepness,
        };
    }"""
    for part in ("encode", "sample", "decode", "compare", "gradient"):
        step.get_by_role("button", name=f"Next: {part}").click()
    found = page.locator(".lesson").evaluate(held)
    model = models[5].double().requires_grad_(True)
    x = torch.tensor(found["x"]).double().reshape(8, -1)
    noise = torch.tensor(found["epsilon"]).double().reshape(8, -1)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    posterior = model.encode(x)
    assert found["mean"] == pytest.approx(posterior.mean.detach().ravel().numpy(), abs=1e-6)
    for taken in range(3):
        terms = elbo(model, x, noise)
        expected = terms.elbo.detach().numpy()
        assert [term["elbo"] for term in found["terms"]] == pytest.approx(expected, abs=1e-3)
        assert [term["kl"] for term in found["terms"]] == pytest.approx(
            terms.kl.detach().numpy(), abs=1e-3
        )
        assert figure(page, "all-elbo") == pytest.approx(expected.mean(), abs=0.06)
        optimiser.zero_grad()
        (-terms.elbo.mean()).backward()
        gradient = torch.cat([weight.grad.ravel() for weight in model.parameters()])
        assert found["steepness"] == pytest.approx(float(gradient.norm()), rel=1e-6)
        optimiser.step()
        step.get_by_role("button", name="Take the step").click()
        expect(step.locator(".climbed")).to_contain_text(
            "One step" if not taken else f"{taken + 1} steps"
        )
        found = page.locator(".lesson").evaluate(held)
    # Where each mean should go.
    model.zero_grad()
    mean = torch.tensor(found["mean"]).double().reshape(8, -1).requires_grad_(True)
    deviation = torch.tensor(found["deviation"]).double().reshape(8, -1)
    likelihood = model.decode(mean + deviation * noise).log_prob(x).sum()
    (likelihood - mean.square().sum() / 2).backward()
    assert found["inMean"] == pytest.approx(mean.grad.ravel().numpy(), rel=1e-5, abs=1e-5)
    step.get_by_role("button", name="Undo").click()
    expect(step.locator(".climbed")).to_contain_text("The mean ELBO of the 8 faces is")


@pytest.mark.parametrize("recording", ["overfit", "beta"])
def test_what_is_too_well_is_told_by_the_models_themselves(lesson, app, recording):
    said, models, _ = lesson_recordings.read(recording)
    page = opened(lesson, app, "?step=5")
    step = page.locator("[data-step=excess]")
    expect(step).to_have_attribute("data-state", "known")
    if recording == "beta":
        step.get_by_text("What β does").click()
    strip = step.locator(".through button")
    expect(strip).to_have_count(len(models))
    held = """box => {
        const { lesson } = (box.getRootNode().host ?? box.parentElement).visageLesson;
        const { reel } = lesson.steps[4];
        const { mean, deviation } = reel.recorded.decoder(reel.place).decode(reel.whole(), true);
        return { z: [...reel.whole()], mean: [...mean], deviation: [...deviation] };
    }"""
    six = step.locator(".six").first.locator("canvas")
    faces = set()
    for place, figures in enumerate(said["frames"]):
        strip.nth(place).click()
        expect(strip.nth(place)).to_have_attribute("aria-pressed", "true")
        for part in ("training", "heldout"):
            for term in ("logLikelihood", "kl"):
                shown = figure(page, f"{part}-{term}")
                assert shown == pytest.approx(figures[part][term], abs=0.06)
            assert figure(page, f"elbo-{part}") == pytest.approx(figures[part]["elbo"], abs=0.06)
        found = page.locator(".lesson").evaluate(held)
        with torch.no_grad():
            expected = models[place].double().decode(torch.tensor([found["z"]]).double())
        assert found["mean"] == pytest.approx(expected.mean[0].numpy(), abs=1e-5)
        deviation = expected.log_var[0].div(2).exp().numpy()
        assert found["deviation"] == pytest.approx(deviation, rel=1e-4)
        assert figure(page, "spread") == pytest.approx(deviation.mean(), abs=6e-4)
        faces.add(six.first.evaluate("canvas => canvas.toDataURL()"))
        if recording == "beta":
            expect(step.locator(".latents .dead")).to_have_count(8 - figures["active"])
    # Each model has its own face of the same image.
    assert len(faces) == len(models)
