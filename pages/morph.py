"""From one face to another: paths through the latent space, as films."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from ui import header, library, session, skeleton, words
from ui.library import Choice
from ui.morph import film, journeys, marks, settings, stops, stretch_map
from ui.morph.film import Film
from vae import latent
from vae.latent.packed import NamedAxis
from vae.models.checkpoint import Checkpoint


def main() -> None:
    header.open_page("Morph", explain)
    # What is chosen here changes nothing above or beside: this part of the page alone runs again.
    st.fragment(morph)(*session.chosen())


def explain() -> None:
    st.markdown(
        "The decoder stretches the latent space: here a step hardly changes the face, there "
        "the same step makes another person of it, and the map's colour says by how much. "
        "So a straight line in z is no steady change of face; the geodesic is the path along "
        "which the face changes least in all, and it goes around regions where the model "
        "would have to invent faces, since there its uncertainty grows. "
        "A named axis is the difference between the mean of faces that have a property and "
        "of faces that have not, or the direction in which faces lie further the more they have "
        "of it."
    )
    st.latex(
        r"M(z) = J_\mu^\top J_\mu + J_\sigma^\top J_\sigma, \qquad "
        r"\text{length}(\gamma) = \int_0^1 \sqrt{\dot\gamma^\top M(\gamma)\, \dot\gamma}\; dt"
    )
    st.caption(
        "Arvanitidis, Hansen & Hauberg, *Latent Space Oddity* (2018): "
        "[arXiv 1710.11379](https://arxiv.org/abs/1710.11379) · Larsen et al., *Autoencoding "
        "beyond pixels* (2016), section 3.2: "
        "[arXiv 1512.09300](https://arxiv.org/abs/1512.09300)"
    )


@words.sentences()
def morph(choice: Choice, checkpoint: Checkpoint) -> None:
    """All below the title."""
    settings.take_up(choice, checkpoint)
    what = st.segmented_control(
        "Morph",
        [settings.FACES, settings.AXIS],
        default=settings.FACES,
        required=True,
        key="morph_what",
        persist_state="session",
        label_visibility="collapsed",
    )
    if what == settings.FACES:
        between_faces(choice, checkpoint)
    else:
        along_axis(choice, checkpoint)
    settings.keep(choice, checkpoint)


def between_faces(choice: Choice, checkpoint: Checkpoint) -> None:
    chosen = stops.choose_stops(choice, checkpoint)
    with skeleton.reserving(st.session_state.get("morph_shown") != choice.stored) as reserve:
        plane, films = st.columns([5, 4], gap="large")
        with plane:
            map_place = reserve(560)
        with films:
            count, steady = choose_pace(checkpoint.model.image_shape)
            film_place, changes_place = reserve(260), reserve(230)
        strips_place = reserve(330)
        journey = journeys.travelled(choice.stored, chosen, count, steady)
        with film_place.filled():
            journeys.play(journey)
        with strips_place.filled():
            journeys.show_strips(journey)
            offer_files(journey.films, choice.name)
        with map_place.filled():
            clicked = stretch_map.draw(choice, checkpoint, chosen)
        with changes_place.filled():
            draw_changes(journey.changes)
    st.session_state.morph_shown = choice.stored
    if clicked is not None:
        stops.add(choice, checkpoint, clicked, "plane")
        st.rerun()


def choose_pace(image_shape: tuple[int, ...]) -> tuple[int, bool]:
    """The number of frames, and whether the picture changes by the same amount in each."""
    counts = settings.frame_counts(image_shape)
    with st.container(horizontal=True, vertical_alignment="center"):
        count = st.select_slider(
            "Frames",
            counts,
            settings.usual_frames(counts),
            key=settings.frames_key(counts),
            persist_state="session",
            disabled=len(counts) == 1,
        )
        steady = st.toggle(
            "Constant speed",
            key="morph_steady",
            persist_state="session",
            help="Every step changes the picture by the same amount. Otherwise each path keeps "
            "its own pace: that of z, or the geodesic's that of the metric.\n\n"
            + words.meaning("metric"),
        )
    return count, steady


def draw_changes(figure: go.Figure) -> None:
    st.plotly_chart(
        figure,
        height=230,
        config={"displayModeBar": False},
        alt="How much the picture changes in each step",
    )
    st.caption(
        "How much the picture changes in each step",
        help="The Euclidean distance between neighbouring frames, in units of a pixel's range "
        "from 0 to 1: a level line is a steady change of face.",
    )


def offer_files(films: dict[str, Film], name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            "Take away",
            list(films),
            default=settings.KINDS[0],
            required=True,
            key="morph_take_away",
        )
        film.download(films[kind].faces, f"{name}-{kind}")


def along_axis(choice: Choice, checkpoint: Checkpoint) -> None:
    means = library.posterior_means(choice.stored)
    if not len(means):
        st.info("This checkpoint does not say where its training faces lie: choose another model.")
        return
    axis = marks.choose_label(choice) or mark_axis(choice, checkpoint)
    if axis is None:
        return
    name, middle, direction = axis
    marks.offer_slider(choice, axis)
    left, right = st.columns(2, gap="large")
    start = stops.choose_start(choice, checkpoint, middle, right)
    amount = left.slider(
        f"Less or more {words.plain(name)}", -1.5, 1.5, 0.0, 0.05, key="axis_amount"
    )
    steps = np.linspace(-1.5, 1.5, 36)[:, None]
    faces = latent.draw(checkpoint.model, start + steps * direction)
    shown = Film(faces, f"from not {name} to {name}")
    now = latent.draw(checkpoint.model, start + amount * direction)
    with st.container(horizontal=True):
        film.still(now, f"A face, {amount:+.2f} {name}")
        film.play([shown], "axis_film")
    film.show_strip(shown)
    film.download(faces, f"{choice.name}-{name[:40]}")


def mark_axis(choice: Choice, checkpoint: Checkpoint) -> NamedAxis | None:
    """An axis of faces that the visitor marks; None until there are some of both."""
    name, marked = marks.mark_faces(choice, checkpoint)
    if {"+", "−"} - set(marked.values()):
        st.info(f"Mark faces that are {words.plain(name)} with + and faces that are not with −.")
        return None
    return NamedAxis(name, *marks.named_direction(choice, marked))


main()
