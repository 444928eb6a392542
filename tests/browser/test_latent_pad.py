"""The latent pad in a real Chromium: what it decodes, what it sends, what it leaves behind."""

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from ui.browser import read, script
from ui.latent_pad import pack
from vae import VAE, save_checkpoint
from vae.images import to_uint8
from vae.latent import decode, encode
from vae.latent.packed import halved, pack_encoder, portable
from vae.models.architecture import Architecture
from vae.models.checkpoint import Checkpoint
from vae.models.conv import Conv
from vae.models.gated import Gated
from vae.models.graph import Translated
from vae.models.likelihoods import LIKELIHOODS
from vae.models.mlp import ACTIVATIONS, MLP
from vae.models.translation import Builder, Place
from vae.models.vae import Gaussian


def checkpoint(
    latent_dim: int = 2,
    hidden_dims: tuple = (64,),
    image_shape: tuple = (28, 20),
    seed: int = 0,
    activation: str = "tanh",
) -> Checkpoint:
    """A model whose faces differ from point to point, as an untrained one's hardly do."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network = MLP(hidden_dims, activation)
    model = VAE.of(Architecture(image_shape, latent_dim, network)).requires_grad_(False).eval()
    for layer in (*model.decoder.hidden, model.decoder.head):
        layer.weight.mul_(3)
    means = torch.randn(900, latent_dim, generator=generator).clamp(-3, 3)
    return Checkpoint(model, {}, Gaussian(means, torch.zeros_like(means)))


def convolutional(shape: tuple, width: str = "medium", activation: str = "tanh") -> Checkpoint:
    """The same, of convolutions."""
    torch.manual_seed(0)
    network = Conv(width, activation)
    model = VAE.of(Architecture(shape, 2, network)).requires_grad_(False).eval()
    for layer in (*model.decoder.dense, *model.decoder.convolutions, model.decoder.head):
        layer.weight.mul_(3)
    model.decoder.bias.copy_(0.3 * torch.randn(2 * model.pixels))
    moved = model.in_coordinates(torch.tensor([0.2, -0.1]), torch.tensor([0.5, 0.4]))
    means = torch.randn(900, 2).clamp(-3, 3)
    return Checkpoint(moved, {}, Gaussian(means, torch.zeros_like(means)))


def gated() -> Checkpoint:
    """One that no browser runs."""
    torch.manual_seed(0)
    model = VAE.of(Architecture((14, 10), 2, Gated((30,)))).requires_grad_(False).eval()
    for layer in (*model.decoder.hidden, model.decoder.head):
        layer.weight.mul_(3)
    means = torch.randn(60, 2).clamp(-3, 3)
    return Checkpoint(model, {}, Gaussian(means, torch.zeros_like(means)))


def stepped() -> Checkpoint:
    """One of the steps that a model from elsewhere is translated into."""
    build = Builder((2,))
    z = build.scale(Place(0), np.array([0.7, 1.2]), np.array([0.1, -0.3]))
    rng = np.random.default_rng(0)

    def layer(*shape: int, out: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.normal(size=shape), rng.normal(size=out)

    x = build.add("affine", [z], [60], layer=layer(60, 2, out=60))
    x = build.reshape(build.add("leaky_relu", [x], values=[0.2]), [5, 4, 3])
    sizes = [6, 4, 4, 2, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0]
    x = build.add("conv_transpose", [x], sizes, layer=layer(5, 6, 4, 4, out=6))
    x = build.add("mul", [x, build.add("sigmoid", [x])])
    x = build.add("resize", [x], [2, 1])
    sizes = [3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3]
    x = build.add("conv", [x], sizes, layer=layer(3, 2, 3, 3, out=3))
    x = build.add("sigmoid", [build.scale(x, np.array(0.3), np.array(0.0))])
    steps, layers, outputs = build.done(build.reshape(build.transpose(x, [1, 2, 0]), [16 * 6 * 3]))
    network = Translated(steps, outputs, log_var=-3.0)
    model = VAE.of(Architecture((16, 6, 3), 2, network)).requires_grad_(False).eval()
    model.decoder = model.decoder.with_layers(layers)
    return Checkpoint(model.in_coordinates(torch.tensor([0.4, 0.0]), torch.tensor([1.5, 0.5])))


def save(path: Path, of: Checkpoint) -> None:
    save_checkpoint(path, of.model, of.info, of.posterior)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    broken = checkpoint()
    broken.model.decoder.head.weight[3, 3] = torch.nan
    save(folder / "two.safetensors", checkpoint(2, (200,)))
    save(folder / "twin.safetensors", checkpoint(2, (200,), seed=1))
    save(folder / "four.safetensors", checkpoint(4, (32, 64)))
    save(folder / "ten.safetensors", checkpoint(10, (32,)))
    save(folder / "one.safetensors", checkpoint(1))
    save(folder / "colour.safetensors", checkpoint(2, (32,), (12, 16, 3)))
    save(folder / "conv.safetensors", convolutional((28, 36, 3)))
    save(folder / "broken.safetensors", broken)
    save(folder / "gated.safetensors", gated())
    return folder


@pytest.fixture(scope="module")
def app(models: Path, app_server) -> Iterator[str]:
    with app_server(Path(__file__).parent / "pad_app.py", {"PAD_MODELS": str(models)}) as address:
        yield address


class Traffic:
    """The sizes of the frames on a page's WebSockets."""

    def __init__(self, page: Page):
        self.sent: list[int] = []
        self.received: list[int] = []
        self.page = page
        page.on("websocket", self._watch)

    def end(self) -> None:
        self.page.remove_listener("websocket", self._watch)

    def _watch(self, socket) -> None:
        socket.on("framesent", lambda data: self.sent.append(len(data)))
        socket.on("framereceived", lambda data: self.received.append(len(data)))


@pytest.fixture
def page(page: Page, app: str) -> Iterator[Page]:
    page.traffic, failures = Traffic(page), []

    def note(error) -> None:
        failures.append(error)

    page.on("pageerror", note)
    page.goto(app)
    ready(page)
    yield page
    page.traffic.end()
    page.remove_listener("pageerror", note)
    assert not failures


def ready(page: Page) -> None:
    expect(page.locator(".visage")).to_have_attribute("data-state", "ready", timeout=20_000)
    idle(page)


def idle(page: Page) -> None:
    expect(page.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=20_000
    )


def choose(page: Page, name: str) -> None:
    page.get_by_test_id("stRadio").get_by_text(name, exact=True).click()


def where(page: Page) -> list[float]:
    return page.locator(".visage").evaluate(
        "box => [...box.getRootNode().host.visagePad.pad.z].map(x => Number(x.toFixed(4)))"
    )


def pixels(page: Page) -> list[int]:
    return page.locator("canvas.face").evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )


def grab(page: Page) -> tuple[float, float, float]:
    """Press the middle of the pad and give that point and the pad's width."""
    box = page.locator(".pad").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    return x, y, box["width"]


def settled(page: Page, z: list[float], pins: int = 0) -> None:
    text = f"settled at {[float(latent) for latent in z]}, {pins} pins"
    expect(page.get_by_text(text)).to_be_visible(timeout=15_000)


# What it decodes


@pytest.mark.parametrize(
    ("latent_dim", "hidden_dims", "image_shape", "activation", "has_simd"),
    [
        (2, (200,), (28, 20), "tanh", True),
        (2, (200, 150), (28, 20), "tanh", True),
        (10, (200,), (28, 20), "tanh", True),
        (10, (199, 201), (28, 20), "tanh", True),
        (10, (199, 201), (28, 20), "tanh", False),
        (3, (50, 40, 30), (12, 9, 3), "tanh", True),
        (1, (7,), (5, 3), "tanh", True),
        (2, (200, 150), (28, 20), "relu", True),
        (10, (199, 201), (28, 20), "silu", True),
    ],
)
def test_browser_and_pytorch_decode_the_same(
    browser, latent_dim, hidden_dims, image_shape, activation, has_simd
):
    made = checkpoint(latent_dim, hidden_dims, image_shape, activation=activation)
    z = torch.rand(1000, latent_dim, generator=torch.Generator().manual_seed(1)) * 12 - 6
    mean, deviation = decoded(browser, made, z, has_simd)
    expected = made.model.decode(z)
    assert np.abs(mean - expected.mean.numpy()).max() <= 1 / 255
    assert np.allclose(deviation, (expected.log_var / 2).exp().numpy(), rtol=1e-3)


@pytest.mark.parametrize(
    ("shape", "width", "activation", "has_simd"),
    [
        ((64, 64, 3), "medium", "tanh", True),
        ((64, 64, 3), "medium", "tanh", False),
        ((64, 64, 3), "large", "silu", True),
        ((28, 21), "small", "relu", True),
        ((112, 92), "small", "tanh", True),
    ],
)
def test_browser_and_pytorch_convolve_the_same(browser, shape, width, activation, has_simd):
    made = convolutional(shape, width, activation)
    z = torch.rand(12, 2, generator=torch.Generator().manual_seed(1)) * 12 - 6
    mean, deviation = decoded(browser, made, z, has_simd)
    expected = made.model.decode(z)
    assert np.ptp(mean, axis=0).mean() > 0.05, "faces that hardly differ prove nothing"
    assert np.abs(mean - expected.mean.numpy()).max() <= 1 / 255
    assert np.allclose(deviation, (expected.log_var / 2).exp().numpy(), rtol=1e-3)


def test_the_browser_reads_weights_of_float16(browser):
    made = convolutional((28, 21), "small")
    z = torch.rand(12, 2, generator=torch.Generator().manual_seed(1)) * 12 - 6
    mean, _ = decoded(browser, made, z, half=True)
    _, layers = portable(made.model)
    rounded = made.model.decoder.with_layers(halved(layers))(z).mean
    assert np.abs(mean - rounded.numpy()).max() <= 1e-4


# How many questions a pad has asked its server, from a number that is its own.
SERIAL = "box => box.getRootNode().host.visagePad.pad.model.decoder.serial"


@pytest.mark.parametrize("has_simd", [True, False])
def test_browser_and_pytorch_take_the_same_steps(browser, has_simd):
    made = stepped()
    z = torch.rand(20, 2, generator=torch.Generator().manual_seed(1)) * 6 - 3
    mean, deviation = decoded(browser, made, z, has_simd)
    expected = made.model.decode(z)
    assert np.ptp(mean, axis=0).mean() > 0.05, "faces that hardly differ prove nothing"
    assert np.abs(mean - expected.mean.numpy()).max() <= 1 / 255
    assert np.allclose(deviation, (expected.log_var / 2).exp().numpy(), rtol=1e-3)


def test_a_decoder_that_no_browser_runs_is_dragged_on_the_server(page: Page):
    choose(page, "gated")
    expect(page.locator(".served")).to_contain_text("Decoded by the server")
    model = gated().model

    def is_there(z: list[float]) -> bool:
        wanted = to_uint8(decode(model, np.array(z, dtype=np.float32))[0]).ravel().astype(int)
        drawn = np.array(pixels(page))[::4]
        return len(drawn) == len(wanted) and np.abs(drawn - wanted).max() < 2

    eventually(page, lambda: is_there([0.0, 0.0]))
    expect(page.locator(".hands")).to_be_hidden()
    expect(page.locator("[name=faces]")).to_be_hidden()
    first = page.locator(".visage").evaluate(SERIAL)
    x, y, width = grab(page)
    moves = 60
    for step in range(moves):
        page.mouse.move(x + width * step / moves / 3, y - width * step / moves / 4)
    # The pointer is down: the face is where it is, and what it has passed nobody asks for.
    eventually(page, lambda: is_there(where(page)))
    assert 0 < page.locator(".visage").evaluate(SERIAL) - first < moves
    page.mouse.up()
    page.get_by_role("button", name="Pin").click()
    settled(page, where(page), 1)
    expect(page.locator(".tray canvas")).to_have_count(1)


def eventually(page: Page, condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not come true"
        page.wait_for_timeout(50)


def decoded(
    browser: Browser,
    made: Checkpoint,
    z: torch.Tensor,
    has_simd: bool = True,
    half: bool = False,
) -> np.ndarray:
    """Mean and deviation at z as the browser's own decoder has them, (2, B, D)."""
    page = browser.new_page()
    if not has_simd:
        # What a browser without SIMD says of the kernel.
        page.evaluate("WebAssembly.validate = () => false")
    found = page.evaluate(
        """async ({ script, packed, points, hasSimd }) => {
            const source = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
            const { unpack } = await import(source);
            const raw = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
            const { decoder } = unpack(raw.buffer);
            if (("wasm" in decoder.numbers) !== hasSimd) throw new Error("It computes otherwise.");
            const found = points.map((z) => {
                const { mean, deviation } = decoder.decode(Float32Array.from(z), true);
                return [...mean, ...deviation];
            });
            const reader = new FileReader();
            const read = new Promise((done) => (reader.onload = done));
            reader.readAsDataURL(new Blob([Float32Array.from(found.flat())]));
            await read;
            return reader.result.split(",")[1];
        }""",
        {
            "script": script("model.js"),
            "packed": base64.b64encode(pack(made, "pad", "model", "1", half)).decode(),
            "points": z.tolist(),
            "hasSimd": has_simd,
        },
    )
    page.close()
    values = np.frombuffer(base64.b64decode(found), dtype=np.float32)
    return values.reshape(len(z), 2, -1).swapaxes(0, 1)


@pytest.mark.parametrize(
    "made",
    [
        *(checkpoint(3, (90, 70), activation=activation) for activation in ACTIVATIONS),
        convolutional((28, 23, 3)),
        convolutional((70, 33), "small", "silu"),
    ],
)
def test_browser_and_pytorch_encode_the_same(browser, made):
    made.model.mean_image.copy_(torch.rand(made.model.pixels))
    size = 50, made.model.pixels
    faces = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8)
    found = page_evaluates(
        browser,
        """async ({ script, packed, faces }) => {
            const source = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
            const { unpackEncoder } = await import(source);
            const raw = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
            const encoder = unpackEncoder(raw.buffer);
            return faces.map((face) => {
                const { mean, deviation } = encoder.encode(Uint8Array.from(face));
                return [[...mean], [...deviation]];
            });
        }""",
        {
            "script": script("encoder.js"),
            "packed": base64.b64encode(pack_encoder(made)).decode(),
            "faces": faces.tolist(),
        },
    )
    mean, deviation = np.swapaxes(found, 0, 1)
    expected = encode(made.model, faces / 255)
    assert mean == pytest.approx(expected.mean, abs=1e-4)
    assert deviation == pytest.approx(np.exp(expected.log_var / 2), rel=1e-3)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("shape", [(9, 7), (5, 6, 3)])
def test_browser_and_pytorch_draw_the_same_noise(browser, likelihood, shape):
    """The same sample of the same noise, and the same deviations of single pixels."""
    torch.manual_seed(0)
    model = VAE.of(Architecture(shape, 2, MLP((16,)), likelihood)).requires_grad_(False)
    for weight in model.likelihood.parameters():
        weight += 0.15 * torch.randn(weight.shape)
    z = torch.tensor([0.7, -1.2])
    noise = model.likelihood.noise((model.pixels,))
    found = page_evaluates(
        browser,
        """async ({ script, packed, z, noise }) => {
            const source = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
            const { unpack } = await import(source);
            const raw = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
            const { decoder, noise: expected } = unpack(raw.buffer);
            const { mean, deviation } = decoder.decode(Float32Array.from(z), true);
            const spread = [...expected.spread(deviation)];
            const drawn = Array.from({ length: 3000 }, () => expected.draw()[0]);
            return [spread, [...expected.addTo(mean, deviation, noise)], drawn];
        }""",
        {
            "script": script("model.js"),
            "packed": base64.b64encode(pack(Checkpoint(model), "pad", "model", "1")).decode(),
            "z": z.tolist(),
            "noise": noise.tolist(),
        },
    )
    expected = model.decode(z)
    spread, sample, drawn = map(np.array, found)
    assert np.allclose(spread, (expected.log_var / 2).exp().numpy(), rtol=1e-3)
    # A level of the logistic's may fall on either side of a half.
    assert np.abs(sample - expected.sample(noise).numpy()).max() < 1.1 / 255
    assert np.abs(sample - expected.sample(noise).numpy()).mean() < 1e-4
    # Its own noise is of the same kind: by its quantiles, heavy tails and all.
    own = model.likelihood.noise((30_000,)).numpy()
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        below = (drawn < np.quantile(own, share)).mean()
        assert abs(below - share) < 0.045


def page_evaluates(browser: Browser, function: str, given: dict) -> list:
    page = browser.new_page()
    try:
        return page.evaluate(function, given)
    finally:
        page.close()


def test_shown_face_is_the_decoded_one(page: Page, models: Path):
    expected = checkpoint(2, (200,)).model.decode(torch.zeros(2)).mean.numpy()
    assert np.abs(np.array(pixels(page)[::4]) - 255 * expected).max() <= 1


def test_one_latent_and_colour_are_drawn(page: Page):
    choose(page, "one")
    expect(page.locator(".slider")).to_have_count(1)
    idle(page)
    choose(page, "colour")
    expect(page.locator(".slider")).to_have_count(2)
    idle(page)
    face = page.locator("canvas.face")
    expect(face).to_have_js_property("width", 16)
    box = face.bounding_box()
    assert box["width"] / box["height"] == pytest.approx(16 / 12, rel=0.01)
    assert len({*zip(*[iter(pixels(page))] * 4, strict=True)}) > 100


def test_convolutions_are_drawn_and_dragged_without_the_server(page: Page, models: Path):
    choose(page, "conv")
    idle(page)
    expect(page.locator("canvas.face")).to_have_js_property("width", 36)
    expected = convolutional((28, 36, 3)).model.decode(torch.zeros(2)).mean.numpy()
    shown = np.array(pixels(page)).reshape(-1, 4)[:, :3].ravel()
    assert np.abs(shown - 255 * expected).max() <= 1
    x, y, width = grab(page)
    page.wait_for_timeout(300)
    sent, seen = len(page.traffic.sent), set()
    for step in range(1, 6):
        page.mouse.move(x + step * width / 40, y - step * width / 40)
        seen.add(tuple(pixels(page)))
    assert len(seen) > 2 and len(page.traffic.sent) == sent
    page.mouse.up()


# What it sends


def test_drag_moves_the_face_and_sends_nothing_until_release(page: Page):
    before = pixels(page)
    x, y, width = grab(page)
    page.wait_for_timeout(300)
    sent = len(page.traffic.sent)
    seen = set()
    for step in range(1, 21):
        page.mouse.move(x + step * width / 80, y - step * width / 160)
        seen.add(tuple(pixels(page)))
    assert len(seen) == 20 and pixels(page) != before
    page.wait_for_timeout(500)
    assert len(page.traffic.sent) == sent
    page.mouse.up()
    settled(page, where(page))
    assert len(page.traffic.sent) == sent + 1
    assert where(page) == pytest.approx([2, 1], abs=0.02)


def test_drag_goes_on_outside_the_pad(page: Page):
    x, y, width = grab(page)
    page.mouse.move(x - 3 * width, y + 0.25 * width)
    page.mouse.up()
    assert where(page) == pytest.approx([-4, -2], abs=0.02)


class Finger:
    """A finger on a phone's screen, in shares of the plane from its left and bottom edges."""

    def __init__(self, page: Page):
        self.page = page
        self.session = page.context.new_cdp_session(page)
        page.locator(".pad").evaluate("pad => pad.scrollIntoView({ block: 'center' })")
        self.box = page.locator(".pad").bounding_box()

    def at(self, across: float, up: float) -> dict[str, float]:
        left, top, side = self.box["x"], self.box["y"], self.box["width"]
        return {"x": left + across * side, "y": top + (1 - up) * side}

    def send(self, kind: str, *points: dict[str, float]) -> None:
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    def swipe(self, start: tuple, end: tuple, rest: int = 0) -> None:
        self.send("touchStart", self.at(*start))
        self.page.wait_for_timeout(rest)
        for share in np.linspace(0, 1, 12)[1:]:
            self.send(
                "touchMove", self.at(*((1 - share) * np.array(start) + share * np.array(end)))
            )
            self.page.wait_for_timeout(16)
        self.send("touchEnd")

    def scrolled(self) -> float:
        """How far the page has moved under the finger."""
        return self.box["y"] - self.page.locator(".pad").bounding_box()["y"]


@pytest.fixture
def finger(browser: Browser, app: str) -> Iterator[Finger]:
    viewport = {"width": 380, "height": 700}
    with browser.new_context(has_touch=True, is_mobile=True, viewport=viewport) as context:
        page = context.new_page()
        page.goto(app)
        ready(page)
        yield Finger(page)


def test_a_tap_moves_z(finger: Finger):
    point = finger.at(0.75, 0.75)
    finger.page.touchscreen.tap(point["x"], point["y"])
    assert where(finger.page) == pytest.approx([2, 2], abs=0.1)
    settled(finger.page, where(finger.page))


def test_a_swipe_up_or_down_scrolls_the_page_and_leaves_z(finger: Finger):
    finger.swipe((0.2, 0.3), (0.2, 0.8))
    finger.page.wait_for_timeout(300)
    assert abs(finger.scrolled()) > 50
    assert where(finger.page) == [0, 0]


@pytest.mark.parametrize(
    ("start", "rest"),
    [((0.5, 0.5), 0), ((0.8, 0.2), 600)],
    ids=["from the point", "after a hold"],
)
def test_a_finger_that_holds_the_point_drags_it_up(finger: Finger, start, rest):
    finger.swipe(start, (start[0], 0.9), rest)
    assert where(finger.page) == pytest.approx([8 * start[0] - 4, 3.2], abs=0.1)
    assert abs(finger.scrolled()) < 2


def test_a_drag_that_begins_sideways_goes_anywhere(finger: Finger):
    finger.swipe((0.2, 0.2), (0.8, 0.3))
    assert where(finger.page) == pytest.approx([2.4, -1.6], abs=0.1)
    assert abs(finger.scrolled()) < 2


def test_weights_travel_once(page: Page, models: Path):
    packed = len(pack(checkpoint(2, (200,)), "pad", str(models / "two.safetensors"), "1"))
    raw = sum(p.numel() * 4 for p in checkpoint(2, (200,)).model.decoder.parameters())
    first = sum(page.traffic.received)
    assert packed <= 1.1 * raw and packed <= first <= 1.5 * raw
    for _ in range(5):
        page.get_by_role("button", name="Rerun").click()
        idle(page)
    assert sum(page.traffic.received) - first < 0.1 * raw


def test_new_weights_of_the_same_model_take_over_in_place(page: Page, models: Path):
    x, y, width = grab(page)
    page.mouse.move(x + width / 8, y)
    page.mouse.up()
    page.get_by_role("button", name="Pin", exact=True).click()
    settled(page, where(page), pins=1)
    z, before = where(page), pixels(page)
    path = models / "two.safetensors"
    kept = path.read_bytes()
    page.locator(".visage").evaluate("box => (box.before = true)")
    try:
        save(path, checkpoint(2, (200,), seed=5))
        page.get_by_role("button", name="Rerun").click()
        deadline = time.monotonic() + 10
        while pixels(page) == before and time.monotonic() < deadline:
            page.wait_for_timeout(50)
        expected = checkpoint(2, (200,), seed=5).model.decode(torch.tensor(z).float()).mean.numpy()
        assert np.abs(np.array(pixels(page)[::4]) - 255 * expected).max() <= 1
    finally:
        path.write_bytes(kept)
    assert where(page) == z
    assert page.locator(".visage").evaluate("box => box.before")
    expect(page.locator(".tray .kept")).to_have_count(1)


def test_python_moves_z_only_with_a_new_version(page: Page):
    page.get_by_role("button", name="Move").click()
    settled(page, [1.0, 1.0])
    expect(page.locator(".readout")).to_have_text("z = (1.00, 1.00)")
    page.locator(".pad").press("Home")
    settled(page, [0, 0])
    page.get_by_role("button", name="Rerun").click()
    idle(page)
    assert where(page) == [0, 0]


def test_settled_z_and_pins_outlive_a_change_of_page(page: Page):
    page.locator(".pad").press("Shift+ArrowRight")
    settled(page, [0.5, 0])
    page.get_by_role("button", name="Pin", exact=True).click()
    settled(page, [0.5, 0], pins=1)
    page.get_by_role("link", name="other").click()
    expect(page.get_by_text("another page")).to_be_visible()
    page.get_by_role("link", name="explore").click()
    ready(page)
    settled(page, [0.5, 0], pins=1)
    assert where(page) == [0.5, 0]
    expect(page.locator(".tray .kept")).to_have_count(1)


# What hands can do


def test_keyboard_moves_z(page: Page):
    pad = page.locator(".pad")
    pad.press("ArrowRight")
    pad.press("ArrowUp")
    pad.press("Shift+ArrowDown")
    assert where(page) == [0.05, -0.45]
    settled(page, [0.05, -0.45])
    expect(pad).to_have_attribute("aria-valuetext", "z₁ 0.05, z₂ −0.45")
    slider = page.get_by_role("slider", name="z₁", exact=True)
    slider.press("Shift+ArrowRight")
    slider.press("ArrowLeft")
    assert where(page) == [0.5, -0.45]
    pad.press("Home")
    assert where(page) == [0, 0]


def test_sliders_and_pad_are_tied(page: Page):
    slider = page.get_by_role("slider", name="z₂", exact=True)
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.wait_for_timeout(300)
    sent = len(page.traffic.sent)
    page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 30, steps=8)
    assert len(page.traffic.sent) == sent
    page.mouse.up()
    z = where(page)
    assert z == pytest.approx([0, 2], abs=0.2)
    settled(page, z)
    pad, cursor = (page.locator(name).bounding_box() for name in (".pad", ".cursor"))
    height = 1 - (cursor["y"] + cursor["height"] / 2 - pad["y"]) / pad["height"]
    assert height * 8 - 4 == pytest.approx(z[1], abs=0.05)
    x, y, width = grab(page)
    page.mouse.move(x + width / 8, y)
    page.mouse.up()
    expect(slider).to_have_js_property("value", "0")
    expect(page.get_by_role("slider", name="z₁", exact=True)).to_have_attribute(
        "aria-valuetext", "1.00"
    )


def test_every_control_has_a_name(page: Page):
    page.get_by_role("button", name="Pin", exact=True).click()
    unnamed = page.locator(".visage").evaluate(
        """box => [...box.querySelectorAll("button, input, select, [tabindex]")]
            .filter((control) => !(control.getAttribute("aria-label") ||
                control.textContent.trim() || control.closest("label")?.textContent.trim()))
            .map((control) => control.outerHTML)"""
    )
    assert unnamed == []


def test_modes_differ_and_noise_is_kept(page: Page):
    mean = pixels(page)
    page.get_by_text("Sample", exact=True).click()
    sample = pixels(page)
    page.locator(".pad").press("ArrowRight")
    page.locator(".pad").press("ArrowLeft")
    assert pixels(page) == sample != mean
    page.get_by_role("button", name="New noise").click()
    assert pixels(page) != sample
    page.get_by_text("Uncertainty", exact=True).click()
    heat = np.array(pixels(page)).reshape(-1, 4)
    assert (heat[:, 0] != heat[:, 1]).any()
    expect(page.locator(".legend")).to_be_visible()


def test_random_glides_and_origin_returns(page: Page):
    page.get_by_role("button", name="Random").click()
    page.wait_for_timeout(100)
    between = where(page)
    page.wait_for_timeout(1000)
    z = where(page)
    assert z not in (between, [0, 0])
    settled(page, z)
    page.get_by_role("button", name="Origin").click()
    settled(page, [0, 0])


def test_play_walks_until_paused_and_sends_once(page: Page):
    sent = len(page.traffic.sent)
    page.get_by_role("button", name="Play").click()
    places = []
    for _ in range(4):
        page.wait_for_timeout(250)
        places.append(tuple(where(page)))
    assert len(set(places)) == 4 and len(page.traffic.sent) == sent
    page.get_by_role("button", name="Pause").click()
    settled(page, where(page))


def test_pins_are_kept_returned_to_and_removed(page: Page):
    pin = page.get_by_role("button", name="Pin", exact=True)
    for _ in range(6):
        page.locator(".pad").press("Shift+ArrowRight")
        pin.click()
    expect(page.locator(".tray .kept")).to_have_count(6)
    expect(pin).to_be_disabled()
    settled(page, [3, 0], pins=6)
    page.get_by_role("button", name="Go back to pinned face 2").click()
    settled(page, [1, 0], pins=6)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download pinned face 2").click(force=True)
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    page.get_by_role("button", name="Remove pinned face 1").click(force=True)
    settled(page, [1, 0], pins=5)
    dragged = page.locator(".tray .return").first.evaluate(
        """button => {
            const dataTransfer = new DataTransfer();
            button.dispatchEvent(new DragEvent("dragstart", { dataTransfer, bubbles: true }));
            return dataTransfer.getData("DownloadURL");
        }"""
    )
    assert dragged.startswith("image/png:face z=(1.00, 0.00).png:data:image/png;base64,")


def test_two_latents_of_many_are_chosen(page: Page):
    choose(page, "four")
    expect(page.locator(".slider")).to_have_count(4)
    ready(page)
    page.get_by_label("Latent across").select_option("2")
    page.get_by_label("Latent upwards").select_option("2")
    expect(page.get_by_label("Latent across")).to_have_value("1")
    page.locator(".pad").press("ArrowUp")
    page.locator(".pad").press("Shift+ArrowRight")
    assert where(page) == [0, 0.5, 0.05, 0]
    manifold = page.locator("canvas.manifold")
    expect(manifold).to_be_visible()
    page.wait_for_timeout(500)
    shades = manifold.evaluate(
        "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    )
    assert shades > 50


def test_less_motion_jumps(tab, app: str):
    with tab() as page:
        page.emulate_media(reduced_motion="reduce")
        page.goto(app)
        ready(page)
        page.locator(".pad").press("Shift+ArrowRight")
        page.get_by_role("button", name="Origin").click()
        assert where(page) == [0, 0]


def test_what_is_shown_is_chosen_and_remembered(page: Page):
    names = ("Faces", "Points", "Arrows", "Smooth")
    for name in names:
        expect(page.get_by_label(name, exact=True)).to_be_checked()
    arrow, manifold = page.locator(".overlay .arrow"), page.locator("canvas.manifold")
    expect(arrow).to_have_count(1)
    expect(manifold).to_be_visible()
    rendering = "canvas => getComputedStyle(canvas).imageRendering"
    assert page.locator("canvas.face").evaluate(rendering) == "auto"
    page.get_by_text("Faces", exact=True).click()
    page.get_by_text("Arrows", exact=True).click()
    page.get_by_title("Pixels", exact=False).click()
    for _ in range(2):
        expect(arrow).to_have_count(0)
        expect(manifold).to_be_hidden()
        assert page.locator("canvas.face").evaluate(rendering) == "pixelated"
        page.reload()
        ready(page)
    expect(page.get_by_label("Points", exact=True)).to_be_checked()


def test_rings_and_modes_explain_themselves_under_the_pointer(page: Page):
    expect(page.get_by_title("1 standard deviation of the prior")).to_have_text("1σ")
    expect(page.get_by_title("of its samples lie nearer")).to_have_count(3)
    expect(page.get_by_title("standard deviation σ of every pixel")).to_be_visible()


def test_the_plane_goes_as_far_as_z_and_comes_back(page: Page):
    page.get_by_role("button", name="Far").click()
    settled(page, [-23.5, 4.0])
    expect(page.locator(".readout")).to_have_text("z = (−23.50, 4.00)")
    slider = page.get_by_role("slider", name="z₁", exact=True)
    expect(slider).to_have_js_property("value", "-23.5")
    pad, cursor = (page.locator(name).bounding_box() for name in (".pad", ".cursor"))
    assert pad["x"] < cursor["x"] < pad["x"] + 0.2 * pad["width"]
    page.locator(".pad").press("ArrowUp")
    settled(page, [-23.5, 4.05])
    page.get_by_role("button", name="Origin").click()
    settled(page, [0, 0])
    expect(slider).to_have_js_property("max", "4")


@pytest.mark.parametrize("size", [(1280, 720), (1440, 900)])
def test_every_slider_is_in_sight(tab, app: str, size):
    with tab(*size) as page:
        page.goto(app)
        ready(page)
        choose(page, "ten")
        # The pad of the model before goes when this one's is there.
        expect(page.locator(".sliders")).to_have_count(1)
        sliders = page.locator(".slider")
        expect(sliders).to_have_count(10)
        expect(sliders.nth(9)).to_be_visible()
        box = page.locator(".sliders").bounding_box()
        for i in (0, 9):
            slider = sliders.nth(i).bounding_box()
            assert box["y"] <= slider["y"]
            assert slider["y"] + slider["height"] <= box["y"] + box["height"]


def test_the_tray_takes_no_room_before_there_is_a_pin(page: Page):
    expect(page.locator(".tray")).to_be_hidden()
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(page.locator(".tray .kept")).to_have_count(1)
    page.get_by_role("button", name="Remove pinned face 1").click(force=True)
    expect(page.locator(".tray")).to_be_hidden()


# What it says when there is nothing to decode


def test_weights_that_are_not_numbers_get_a_sentence(page: Page):
    choose(page, "broken")
    expect(page.get_by_role("alert")).to_contain_text("not numbers")
    choose(page, "two")
    ready(page)
    expect(page.locator(".notice")).to_be_hidden()


def test_no_model_gets_a_sentence(page: Page):
    page.get_by_role("link", name="missing").click()
    expect(page.get_by_role("alert")).to_contain_text("no model")


def test_too_large_a_decoder_is_dragged_from_the_server(tmp_path, browser, app_server):
    save(tmp_path / "two.safetensors", checkpoint(2, (8500,), (28, 20, 3)))
    with app_server(Path(__file__).parent / "pad_app.py", {"PAD_MODELS": str(tmp_path)}) as app:
        page = browser.new_page()
        page.goto(app)
        ready(page)
        expect(page.locator("p.served")).to_contain_text("over 64 MB")
        page.locator(".pad").press("ArrowRight")
        settled(page, [0.05, 0.0])
        expected = checkpoint(2, (8500,), (28, 20, 3)).model.decode(torch.tensor([0.05, 0.0])).mean
        page.wait_for_function(
            """expected => {
                const roots = [...document.querySelectorAll("*")].map((host) => host.shadowRoot);
                const faces = roots.map((root) => root?.querySelector("canvas.face"));
                const canvas = faces.find(Boolean);
                const { data } = canvas.getContext("2d").getImageData(0, 0, 20, 28);
                const shown = data.filter((_, i) => i % 4 < 3);
                return shown.every((value, i) => Math.abs(value - 255 * expected[i]) <= 1);
            }""",
            arg=expected.tolist(),
        )
        page.close()


# What it shows on a narrow screen, and what it leaves behind


def test_narrow_window_stacks_and_nothing_overflows(browser: Browser, app: str):
    page = browser.new_page(viewport={"width": 380, "height": 900}, device_scale_factor=2)
    page.goto(app)
    ready(page)
    face, pad = (page.locator(name).bounding_box() for name in (".frame", ".pad"))
    assert face["y"] + face["height"] <= pad["y"]
    assert pad["width"] == pytest.approx(pad["height"], abs=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    page.close()


def test_first_paint_reserves_the_room(browser: Browser, app: str):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.add_init_script(
        """window.heights = new Set();
        const look = () => {
            const isolated = "[data-testid=stBidiComponentIsolated]";
            for (const host of document.querySelectorAll(isolated)) {
                const box = host.shadowRoot?.querySelector(".visage");
                if (box?.offsetHeight) window.heights.add(box.offsetHeight);
            }
            requestAnimationFrame(look);
        };
        look();"""
    )
    page.goto(app)
    ready(page)
    page.wait_for_timeout(300)
    assert page.evaluate("window.heights.size") == 1
    page.close()


class Heap:
    """What a page holds once its garbage has been collected."""

    def __init__(self, page: Page):
        self.session = page.context.new_cdp_session(page)
        self.session.send("Performance.enable")

    def measure(self) -> dict[str, float]:
        for _ in range(3):
            self.session.send("HeapProfiler.collectGarbage")
        metrics = self.session.send("Performance.getMetrics")["metrics"]
        names = "JSHeapUsedSize", "JSEventListeners", "Nodes"
        found = {metric["name"]: metric["value"] for metric in metrics if metric["name"] in names}
        kinds = (
            "HTMLCanvasElement",
            "ResizeObserver",
            "AbortController",
            "ShadowRoot",
            "WebAssembly.Memory",
        )
        return found | {kind: self.count(kind) for kind in kinds}

    def count(self, kind: str) -> int:
        prototype = self.session.send("Runtime.evaluate", {"expression": f"{kind}.prototype"})
        found = self.session.send(
            "Runtime.queryObjects", {"prototypeObjectId": prototype["result"]["objectId"]}
        )["objects"]["objectId"]
        length = {"functionDeclaration": "function () { return this.length }"}
        length |= {"objectId": found, "returnByValue": True}
        count = self.session.send("Runtime.callFunctionOn", length)["result"]["value"]
        self.session.send("Runtime.releaseObject", {"objectId": found})
        return count


def assert_nothing_left(
    first: dict[str, float], last: dict[str, float], slack: float = 0.1
) -> None:
    for name, value in last.items():
        most = (1 + slack) * first[name]
        assert value <= most, f"{name}: {first[name]} first, {value} last"


def test_200_mounts_and_model_switches_leave_nothing_behind(browser: Browser):
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    texts = [read("pad.html"), read("pad.css"), script("streamlit.js"), script("weights.js")]
    models = [pack(checkpoint(seed=seed), "pad", f"model {seed}", "1") for seed in (0, 1)]
    page.evaluate(
        """async ({ parts: [html, css, pad, weights], models }) => {
            const load = async (script) => (await import(
                URL.createObjectURL(new Blob([script], { type: "text/javascript" })))).default;
            const [mountPad, mountWeights] = [await load(pad), await load(weights)];
            const bytes = models.map(
                (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
            const data = { channel: "pad", problem: "", z_version: 0 };
            const frame = () => new Promise(requestAnimationFrame);
            window.cycle = async (count) => {
                for (let i = 0; i < count; i++) {
                    const host = document.body.appendChild(document.createElement("div"));
                    const parentElement = host.attachShadow({ mode: "open" });
                    parentElement.innerHTML = `${html}<style>${css}</style>`;
                    const unmount = [
                        mountWeights({ data: bytes[0] }),
                        mountPad({ parentElement, data, setStateValue() {} }),
                    ];
                    await frame();
                    unmount[0] = mountWeights({ data: bytes[1] });
                    const inside = (selector) => parentElement.querySelector(selector);
                    inside("[name=faces]").click();
                    inside("[name=pin]").click();
                    inside(".pad").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp" }));
                    inside("[name=play]").click();
                    await frame();
                    unmount.forEach((end) => end());
                    host.remove();
                }
            };
        }""",
        {
            "parts": texts,
            "models": [base64.b64encode(packed).decode() for packed in models],
        },
    )
    heap = Heap(page)
    page.evaluate("cycle(10)")
    first = heap.measure()
    page.evaluate("cycle(200)")
    assert_nothing_left(first, heap.measure())
    page.close()


def test_switching_models_and_pages_leaves_nothing_behind(page: Page):
    heap = Heap(page)

    def rounds(count: int) -> None:
        for i in range(count):
            choose(page, "four" if i % 2 else "twin")
            expect(page.locator(".slider")).to_have_count(4 if i % 2 else 2)
            idle(page)
            page.get_by_role("link", name="other").click()
            expect(page.get_by_text("another page")).to_be_visible()
            idle(page)
            page.get_by_role("link", name="explore").click()
            ready(page)

    # The first rounds fill Streamlit's own caches.
    rounds(8)
    first = heap.measure()
    rounds(15)
    # Streamlit holds a page that was left or two, now and then; all fifteen would be far more.
    assert_nothing_left(first, heap.measure(), slack=0.3)


# The brush


def test_what_is_painted_settles_as_a_drag_does(page):
    choose(page, "two")
    idle(page)
    page.get_by_role("button", name="Brush").click()
    box = page.locator("canvas.paint").bounding_box()
    sent = len(page.traffic.sent)
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"], steps=5)
    page.wait_for_function(
        "() => [...document.querySelectorAll('*')].some((host) =>"
        " host.visagePad?.pad.z.some((latent) => latent !== 0))"
    )
    # Not a word before the stroke is over.
    assert len(page.traffic.sent) == sent
    page.mouse.up()
    expect(page.get_by_text("settled at")).not_to_contain_text("[0.0, 0.0]")
    settled(page, where(page))


def test_a_named_axis_is_a_slider(page):
    choose(page, "ten")
    idle(page)
    page.get_by_text("Named", exact=True).click()
    slider = page.locator(".named input")
    # Its name is text, whatever it says.
    expect(page.locator(".named b")).to_contain_text("<img src=x")
    slider.focus()
    slider.press("ArrowRight")
    settled(page, [0.01] * 10)
    before = pixels(page)
    slider.fill("0.8")
    settled(page, [0.8] * 10)
    assert pixels(page) != before
    page.get_by_text("Named", exact=True).click()
    expect(slider).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_on_the_pad(page, axe, scheme):
    page.emulate_media(color_scheme=scheme)
    choose(page, "ten")
    idle(page)
    page.get_by_text("Named", exact=True).click()
    page.get_by_text("Labelled", exact=True).click()
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_role("button", name="Brush").click()
    expect(page.locator(".named input")).to_have_count(1)
    idle(page)
    passed = axe(page, '[...document.querySelectorAll("*")].find((host) => host.visagePad)')
    # It has looked inside.
    assert {"button-name", "aria-toggle-field-name", "color-contrast"} & passed
