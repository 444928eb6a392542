"""Plotly figures: arrays in, Figure out. Colours come from the app's theme, light or dark.

The theme's first chart colour is for what lies behind, its second for what matters; traces take
them in that order, so no figure names a colour of its own.
"""

__all__ = [
    "Chart",
    "common_curves",
    "common_latent_use",
    "compared_curves",
    "latent_name",
    "latent_use",
    "manifold",
    "manifold_overlay",
    "manifold_points",
    "posteriors",
    "rate_distortion",
    "rows_drawn",
    "step_changes",
    "stretch",
    "training_curves",
    "traversals",
]

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from ui.tint import Tint
from vae.images import png

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

# Points of a cloud that are drawn at most: more would not be told apart.
MOST_POINTS = 5_000


# Letters of a legend's entry and of what a point tells: a stranger's name may be of any length.
LEGEND_LETTERS, HOVER_LETTERS = 28, 80

# Streamlit puts the theme's chart colours in the place of these: the second, for what matters, and
# those after it. Where a label colours the points there are too many traces to go by their order.
THEMED = ("#000002", "#000003", "#000004")

# Colours of a map.
STEPS = 255


# The page gives a figure its size.
FRAME: dict[str, Any] = {
    "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "showlegend": False,
    "dragmode": False,
}


class Chart(go.Figure):
    """A figure that is whole when it is first shown: what a page sends of it is made then, once.

    Plotly would copy a figure and encode its arrays anew for each visitor who is shown it.
    """

    def to_dict(self) -> dict[str, Any]:
        known = self.__dict__.get("_sent")
        if known is None:
            known = self.__dict__["_sent"] = super().to_dict()
        return known


def latent_name(axis: int) -> str:
    """What a latent is called on screen: axis 0 is z₁."""
    return f"z{axis + 1}".translate(SUBSCRIPTS)


def posteriors(
    means: np.ndarray,
    z_mean: np.ndarray,
    z_std: np.ndarray,
    labels: Sequence[str],
    axes: Sequence[int] = (0, 1),
    tint: Tint | None = None,
) -> go.Figure:
    """The posteriors of a few images over the posterior means of the training set.

    Arguments:
        means: Of shape (N, K); N may be 0.
        z_mean: The images' posterior means, of shape (n, K).
        z_std: Their standard deviations, of shape (n, K).
        labels: What each image is called.
        axes: The two latents that are drawn; with K = 1 each image gets a height of its own.
        tint: What colours the means that :func:`rows_drawn` tells.
    """
    across = axes[0]
    if z_mean.shape[1] == 1:
        figure = _histogram(means[:, 0])
        y = np.linspace(0.1, 0.9, len(z_mean))
        vertical = {"yaxis": "y2"}
        figure.update_layout(
            yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
        )
        values = f"{latent_name(0)} = %{{x:.2f}} ± %{{customdata[0]:.2f}}"
    else:
        figure = _plane(axes)
        _add_cloud(figure, means, axes, tint)
        y = z_mean[:, axes[1]]
        vertical = {"error_y": {"array": z_std[:, axes[1]], "thickness": 2, "width": 0}}
        values = (
            f"{latent_name(across)} = %{{x:.2f}} ± %{{customdata[0]:.2f}}<br>"
            f"{latent_name(axes[1])} = %{{y:.2f}} ± %{{customdata[1]:.2f}}"
        )
    figure.add_trace(
        go.Scattergl(
            x=z_mean[:, across],
            y=y,
            error_x={"array": z_std[:, across], "thickness": 2, "width": 0},
            mode="markers+text",
            marker={"size": 5, "color": THEMED[0]},
            showlegend=False,
            text=list(labels),
            textposition="top right",
            textfont={"size": 11},
            customdata=z_std[:, list(axes[:2]) if z_std.shape[1] > 1 else [0]],
            hovertemplate=f"%{{text}}<br>{values}<extra></extra>",
            **vertical,
        )
    )
    return figure


def manifold(
    picture: np.ndarray,
    z: np.ndarray,
    axes: Sequence[int] = (0, 1),
) -> go.Figure:
    """The decoded grid, each face at its place; hovering tells its z.

    Arguments:
        picture: The tiled faces, uint8, of shape (R·H, C·W) or (R·H, C·W, 3).
        z: The latent point of each face, of shape (R, C, K).
        axes: The latents that run across and upwards; with K = 1 only the first is used.
    """
    rows, columns, latent_dim = z.shape
    tall, wide = picture.shape[0] / rows, picture.shape[1] / columns
    names = [latent_name(axis) for axis in (axes[:2] if latent_dim > 1 else axes[:1])]
    figure = Chart()
    source = "data:image/png;base64," + base64.b64encode(png(picture)).decode()
    figure.add_trace(go.Image(source=source, hoverinfo="skip"))
    # An image has a hover text a pixel; this unseen grid has one a face.
    figure.add_trace(
        go.Heatmap(
            z=np.zeros((rows, columns)),
            x0=(wide - 1) / 2,
            dx=wide,
            y0=(tall - 1) / 2,
            dy=tall,
            opacity=0,
            showscale=False,
            customdata=z[..., list(axes[: len(names)])],
            hovertemplate="<br>".join(
                f"{name} = %{{customdata[{place}]:.2f}}" for place, name in enumerate(names)
            )
            + "<extra></extra>",
        )
    )
    figure.update_layout(
        **FRAME,
        xaxis=_grid_axis(z[0, :, axes[0]], wide, names[0]),
        yaxis=_grid_axis(z[:, 0, axes[1]], tall, names[1])
        if latent_dim > 1
        else {"visible": False},
    )
    figure.update_yaxes(
        autorange="reversed", scaleanchor="x", constrain="domain", constraintoward="top"
    )
    return figure


def traversals(picture: np.ndarray, names: Sequence[str], along: np.ndarray) -> go.Figure:
    """Decoded faces, a row of them a latent.

    Arguments:
        picture: The tiled faces with a pixel between them, uint8, (H', W') or (H', W', 3).
        names: What each row is called, from the top.
        along: The values of the row's latent, (C,).
    """
    rows, columns = len(names), len(along)
    tall, wide = (picture.shape[0] + 1) / rows, (picture.shape[1] + 1) / columns
    figure = Chart()
    source = "data:image/png;base64," + base64.b64encode(png(picture)).decode()
    figure.add_trace(go.Image(source=source, hoverinfo="skip"))
    figure.update_layout(
        **FRAME,
        xaxis=_grid_axis(along, wide, ""),
        yaxis={
            "tickvals": (np.arange(rows) + 0.5) * tall - 1,
            "ticktext": list(names),
            "showgrid": False,
            "zeroline": False,
        },
    )
    figure.update_yaxes(
        autorange="reversed", scaleanchor="x", constrain="domain", constraintoward="top"
    )
    return figure


def _grid_axis(values: np.ndarray, size: float, title: str) -> dict:
    """An axis over tiles of ``size`` pixels, with seven ticks at most that say their z."""
    places = np.linspace(0, len(values) - 1, min(len(values), 7))
    ticks = np.interp(places, np.arange(len(values)), values)
    return {
        "tickvals": (places + 0.5) * size - 0.5,
        # Adding 0 turns −0 into 0.
        "ticktext": [f"{tick.round(1) + 0:.1f}".replace("-", "−") for tick in ticks],
        "title": {"text": title, "standoff": 8},
        "showgrid": False,
        "zeroline": False,
        "constrain": "domain",
    }


def _plane(axes: Sequence[int]) -> go.Figure:
    across, upwards = axes
    figure = Chart()
    figure.update_layout(
        **FRAME,
        xaxis={
            "title": {"text": latent_name(across), "standoff": 8},
            "zeroline": True,
            "constrain": "domain",
        },
        yaxis={
            "title": {"text": latent_name(upwards), "standoff": 8},
            "zeroline": True,
            "showgrid": False,
            "scaleanchor": "x",
            "constrain": "domain",
        },
    )
    return figure


def rows_drawn(count: int) -> np.ndarray:
    """Which of so many points a cloud is drawn of, evenly chosen, (n,)."""
    return np.linspace(0, count - 1, min(count, MOST_POINTS)).astype(int)


def _add_cloud(
    figure: go.Figure, means: np.ndarray, axes: Sequence[int], tint: Tint | None = None
) -> None:
    """Posterior means, behind what comes later; in the colours of a label, if there is one."""
    chosen = rows_drawn(len(means))
    points = means[chosen][:, list(axes)]
    plain = {
        "mode": "markers",
        "marker": {"size": 4, "opacity": 0.6},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    unknown = np.full(len(points), True) if tint is None else tint.codes < 0
    figure.add_trace(go.Scattergl(x=points[unknown, 0], y=points[unknown, 1], **plain))
    if tint is not None:
        # A rim, since the darkest of the colours is as dark as the dark theme.
        rim = {"width": 0.7, "color": "rgba(128, 128, 128, 0.8)"}
        _add_coloured(figure, points, tint, {"size": 5, "opacity": 0.9, "line": rim})


def _add_coloured(
    figure: go.Figure, points: np.ndarray, tint: Tint, marker: Mapping[str, Any]
) -> None:
    """Points in the colours of a label, (n, 2), those of each entry of its legend a trace: a press
    on the entry hides and shows them, two show them alone."""
    said = np.array([_as_text(_cut(word, HOVER_LETTERS)) for word in tint.words], dtype=object)
    name = _as_text(_cut(tint.name, HOVER_LETTERS))
    for code, (text, colour) in enumerate(tint.legend):
        here = tint.codes == code
        figure.add_trace(
            go.Scattergl(
                x=points[here, 0],
                y=points[here, 1],
                mode="markers",
                marker={**marker, "color": colour},
                name=_as_text(_cut(text, LEGEND_LETTERS)),
                # In the data, where Plotly looks for no placeholders.
                text=[f"{name}: {word}" for word in said[tint.values[here]]],
                hovertemplate="%{text}<extra></extra>",
                showlegend=True,
            )
        )
    figure.update_layout(
        showlegend=True,
        legend={
            "title": {"text": _as_text(_cut(tint.name, LEGEND_LETTERS)), "side": "top"},
            "orientation": "h",
            "x": 0,
            "y": -0.14,
            "yanchor": "top",
            "itemsizing": "constant",
            "font": {"size": 12},
        },
    )


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _histogram(values: np.ndarray) -> go.Figure:
    figure = Chart(go.Histogram(x=values, nbinsx=60, opacity=0.6, hoverinfo="skip"))
    figure.update_layout(
        **FRAME,
        xaxis={"title": {"text": latent_name(0), "standoff": 8}, "zeroline": False},
        yaxis={"title": {"text": "images"}, "zeroline": False},
        bargap=0.05,
    )
    return figure


def stretch(
    log_magnification: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    means: np.ndarray,
    stops: np.ndarray,
    paths: Mapping[str, np.ndarray],
    axes: Sequence[int] = (0, 1),
    tint: Tint | None = None,
) -> go.Figure:
    """How much the decoder stretches the plane, with data and paths between faces on it.

    A grid of unseen points takes clicks anywhere: the last trace, whose custom data are z.

    Arguments:
        log_magnification: The magnification factor's log₁₀, (R, C), or (C,) with one latent.
        x: Values across, (C,).
        y: Values upwards, rising, (R,); not used with one latent.
        means: The posterior means of the training set, (N, K); N may be 0.
        stops: The faces that the paths join, (n, K).
        paths: The points of each path by its name, (T, K).
        axes: The latents that run across and upwards.
        tint: What colours the means that :func:`rows_drawn` tells.
    """
    # Half the bytes for every visitor, and no pixel on screen differs.
    x, y = x.astype(np.float32), y.astype(np.float32)
    finite = np.where(np.isfinite(log_magnification), log_magnification, np.nan)
    finite = finite.astype(np.float32)
    labels = [str(number) for number in range(1, len(stops) + 1)]
    faces = {
        "mode": "markers+text",
        "text": labels,
        "textfont": {"size": 13},
        "textposition": "top center",
        "name": "faces",
        "hoverinfo": "skip",
        "showlegend": False,
    }
    if stops.shape[1] == 1:
        figure = Chart(go.Scatter(x=x, y=10**finite, name="magnification"))
        height = np.interp(stops[:, 0], x, 10**finite)
        figure.add_trace(go.Scatter(x=stops[:, 0], y=height, marker={"size": 11}, **faces))
        rug = means[:: 1 + len(means) // 500, 0]
        figure.add_trace(
            go.Scatter(
                x=rug,
                y=np.zeros(len(rug)),
                mode="markers",
                marker={"symbol": "line-ns-open", "size": 9, "opacity": 0.4},
                hoverinfo="skip",
            )
        )
        figure.update_layout(
            **FRAME,
            xaxis={"title": {"text": latent_name(0), "standoff": 8}, "zeroline": False},
            yaxis={"title": {"text": "magnification √M"}, "rangemode": "tozero"},
        )
        return figure
    figure = _plane(axes)
    _add_cloud(figure, means, axes, tint)
    # All of one kind: Plotly paints WebGL over SVG, whatever their order.
    for colour, (name, path) in zip(THEMED, paths.items(), strict=False):
        points = path.astype(np.float32)
        figure.add_trace(
            go.Scattergl(
                x=points[:, axes[0]],
                y=points[:, axes[1]],
                mode="lines",
                line={"width": 4 if name == "geodesic" else 2.5, "color": colour},
                name=name,
                hoverinfo="name",
                showlegend=False,
            )
        )
    figure.add_trace(
        go.Scattergl(
            x=stops[:, axes[0]],
            y=stops[:, axes[1]],
            marker={"size": 20, "color": "white", "line": {"width": 2, "color": "black"}},
            **faces | {"textfont": {"color": "black"}, "textposition": "middle center"},
        )
    )
    figure.add_trace(_magnification_map(finite, x, y))
    figure.add_trace(_click_targets(x, y, axes))
    figure.update_layout(
        xaxis={"range": [float(x[0]), float(x[-1])], "showgrid": False, "zeroline": False},
        yaxis={"range": [float(y[0]), float(y[-1])], "showgrid": False, "zeroline": False},
    )
    return figure


def step_changes(changes: Mapping[str, np.ndarray]) -> go.Figure:
    """How much the picture changes in each step of each path.

    Arguments:
        changes: The change of each step by the path's name, (T,), in units of a pixel's [0, 1].
    """
    figure = Chart()
    # The colour of what lies behind: the paths have the ones that they have on the map.
    figure.add_trace(go.Scatter(x=[None], y=[None], showlegend=False))
    for name, change in changes.items():
        figure.add_trace(
            go.Scatter(
                x=(np.arange(len(change)) + 0.5) / len(change),
                y=change,
                name=name,
                line={"width": 3 if name == "geodesic" else 2, "shape": "hvh"},
                hovertemplate=f"{name}: %{{y:.3f}}<extra></extra>",
            )
        )
    figure.update_layout(
        **FRAME | {"showlegend": True},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        xaxis={"title": {"text": "along the path", "standoff": 8}, "tickformat": ".0%"},
        yaxis={"title": {"text": "change per step"}, "rangemode": "tozero"},
    )
    return figure


def _magnification_map(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> go.Heatmap:
    """A heat map that lies behind everything, with a colour bar that says factors, not logs."""
    known = np.isfinite(values).any()
    low, high = np.nanpercentile(values, [1, 99.5]) if known else (0.0, 1.0)
    ticks = np.linspace(low, high, 5)
    # In the colours' steps, a byte each: all that is seen of a value is its colour.
    steps = np.clip((values - low) / max(high - low, 1e-6) * STEPS, 0, STEPS).round()
    return go.Heatmap(
        z=steps.astype(np.uint8) if np.isfinite(values).all() else steps,
        x=x,
        y=y,
        zmin=0,
        zmax=STEPS,
        zorder=-1,
        zsmooth="best",
        # Grey over whatever the page's own colour is: the paths are what has colour.
        colorscale=[[0, "rgba(110, 118, 128, 0)"], [1, "rgba(110, 118, 128, 0.95)"]],
        colorbar={
            "title": {"text": "magnification √det M", "side": "top", "font": {"size": 12}},
            "orientation": "h",
            "thickness": 8,
            "len": 0.5,
            "x": 1,
            "xanchor": "right",
            "y": 1.0,
            "yanchor": "bottom",
            "outlinewidth": 0,
            "tickvals": np.linspace(0, STEPS, len(ticks)),
            "ticktext": [f"{10**tick:.1g}" if tick < 0 else f"{10**tick:.2g}" for tick in ticks],
        },
        hoverinfo="skip",
    )


def _click_targets(x: np.ndarray, y: np.ndarray, axes: Sequence[int]) -> go.Scattergl:
    across, upwards = np.meshgrid(np.linspace(x[0], x[-1], 60), np.linspace(y[0], y[-1], 60))
    unseen = {"marker": {"opacity": 0}}
    return go.Scattergl(
        x=across.ravel(),
        y=upwards.ravel(),
        mode="markers",
        marker={"size": 12, "opacity": 0},
        showlegend=False,
        selected=unseen,
        unselected=unseen,
        hovertemplate=f"{latent_name(axes[0])} = %{{x:.2f}}<br>{latent_name(axes[1])} = %{{y:.2f}}"
        "<br>click to add this face<extra></extra>",
    )


def training_curves(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]],
    title: str = "",
    best: tuple[float, float, str] | None = None,
    small: bool = False,
    since: tuple[float, str] | None = None,
) -> go.Figure:
    """Figures of a run, or of several, over the training samples evaluated, as in Figure 2.

    Arguments:
        lines: Samples and values, (n,) each, of each line by its name, the least important first.
        title: What the values are.
        best: Samples, value and name of a point to mark.
        small: Whether the figure stands below one that names the lines and the axis.
        since: Samples since which something else is learnt, and what.
    """
    figure = Chart()
    for name, (samples, values) in lines.items():
        figure.add_trace(
            # A run's first records would be nothing to see without a mark.
            go.Scatter(
                x=samples.astype(np.float32),
                y=values.astype(np.float32),
                name=name,
                mode="lines" if len(samples) > 1 else "markers",
                line={"width": 2},
                hovertemplate="%{y:,.5~g}",
            )
        )
    if best is not None:
        samples, value, name = best
        figure.add_trace(
            go.Scatter(
                x=[samples],
                y=[value],
                name=name,
                mode="markers",
                marker={"size": 13, "symbol": "star"},
                hovertemplate="%{y:,.5~g}",
            )
        )
    if since is not None:
        figure.add_vline(since[0], line={"width": 1, "dash": "dot"})
        # An annotation's place on such an axis is a logarithm, a line's is not.
        place = {"x": math.log10(since[0]), "xanchor": "right", "y": 0, "yref": "paper"}
        figure.add_annotation(**place, yanchor="bottom", text=since[1], showarrow=False)
    figure.update_layout(
        **FRAME
        | {
            "showlegend": not small,
            "margin": {"l": 8, "r": 8, "t": 40, "b": 8},
        },
        # The same figure redrawn with more points, not another one.
        uirevision="run",
        hovermode="x unified",
        title={"text": title, "font": {"size": 14}, "x": 0, "xref": "container", "y": 0.98},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.01, "yanchor": "bottom"},
        xaxis={
            "type": "log",
            "title": {"text": "" if small else "training samples evaluated", "standoff": 6},
            "dtick": 1,
            "exponentformat": "power",
            "hoverformat": ",",
            # A short run has one tick or two, and Plotly would hide those near an edge; with all
            # of them hidden it puts the axis's title at minus infinity.
            "ticklabeloverflow": "allow",
        },
        yaxis={
            "tickformatstops": [
                {"dtickrange": [None, 99_999], "value": ",~f"},
                {"dtickrange": [100_000, None], "value": "~s"},
            ],
            "nticks": 6,
            "zeroline": False,
        },
    )
    return figure


# How the lines of several runs are drawn: told apart where their colours are not.
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def compared_curves(lines: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str) -> go.Figure:
    """One figure of several runs over the training samples evaluated.

    Arguments:
        lines: Samples and values, (n,) each, by the run's name; at most five.
        title: What the values are.
    """
    figure = training_curves({_as_text(name): line for name, line in lines.items()})
    for index, dash in zip(range(len(lines)), DASHES, strict=False):
        figure.update_traces({"line": {"dash": dash, "width": 2.5}}, selector=index)
    figure.update_layout(
        margin={"t": 8},
        title={"text": ""},
        # Below the axis, where it may take as many lines as the names need.
        legend={
            "x": 0,
            "xanchor": "left",
            "y": -0.2,
            "yanchor": "top",
            "itemwidth": 50,
        },
        yaxis={"title": {"text": title, "standoff": 8}},
    )
    return figure


def _as_text(name: str) -> str:
    """A name as Plotly draws it as it stands: it takes some tags of HTML, and formulas."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace("$", "&#36;")


def latent_use(kl: np.ndarray) -> go.Figure:
    """How much each latent tells of an image, in nats.

    Arguments:
        kl: The KL divergence of each latent from the prior, (K,).
    """
    names = [latent_name(axis) for axis in range(len(kl))]
    figure = Chart(
        go.Bar(x=names, y=kl, hovertemplate="%{x}: %{y:.2f} nats<extra></extra>", opacity=0.9)
    )
    figure.update_layout(
        FRAME,
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
        uirevision="run",
        title={
            "text": "KL of each latent, nats",
            "font": {"size": 14},
            "x": 0,
            "xref": "container",
            "y": 0.98,
        },
        bargap=0.3,
        xaxis={"type": "category", "nticks": 12},
        yaxis={"rangemode": "tozero", "nticks": 6},
    )
    return figure


# Latents that have a bar and a name each; of more, the bars are sorted.
MOST_NAMED = 12


def common_latent_use(kl: Mapping[str, np.ndarray]) -> dict[str, go.Figure]:
    """:func:`latent_use` of several models on one scale; of many latents, from the largest down.

    Arguments:
        kl: The KL divergence of each latent, (K,), by the model's name.
    """
    highest = max((float(values.max(initial=0.0)) for values in kl.values()), default=0.0)
    figures = {}
    for name, values in kl.items():
        is_sorted = len(values) > MOST_NAMED
        figure = latent_use(-np.sort(-values) if is_sorted else values)
        if is_sorted:
            figure.update_traces(
                x=np.arange(1, len(values) + 1), hovertemplate="%{y:.2f} nats<extra></extra>"
            )
            figure.update_layout(
                title={"text": "KL of each latent, sorted, nats"}, xaxis={"type": "linear"}
            )
        figure.update_yaxes(range=[0, 1.05 * highest or 1.0])
        figures[name] = figure
    return figures


def common_curves(
    lines: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]], title: str
) -> dict[str, go.Figure]:
    """Small figures of several runs, each with its lines, on common axes.

    Arguments:
        lines: As of :func:`training_curves`, by the run's name.
        title: What the values are.
    """
    every = [line for of_run in lines.values() for line in of_run.values() if len(line[0])]
    figures = {name: training_curves(of_run, title, small=True) for name, of_run in lines.items()}
    if not every:
        return figures
    samples = np.concatenate([line[0] for line in every])
    # Where a run begins, far below, no two differ: the axis is for where they end.
    values = np.concatenate([line[1] for line in every])
    ends = [float(line[1][-1]) for line in every]
    low, high = min(*ends, float(np.percentile(values, 25))), float(values.max())
    room = 0.05 * max(high - low, 1.0)
    across = [np.log10(max(1.0, samples.min())), np.log10(max(2.0, samples.max())) + 0.02]
    for figure in figures.values():
        figure.update_xaxes(range=across)
        figure.update_yaxes(range=[low - room, high + room])
    return figures


def rate_distortion(points: Mapping[str, tuple[float, float]], title: str) -> go.Figure:
    """The ELBO's two terms as a plane, with one point a run.

    Arguments:
        points: Rate (KL divergence) and distortion (negative log-likelihood) in nats, by the
            value that tells the run from the others.
        title: What that is a value of.
    """
    rates, distortions = np.array(list(points.values())).reshape(-1, 2).T
    names = [_as_text(name) for name in points]
    figure = Chart()
    # The first colour is of what lies behind.
    figure.add_trace(
        go.Scatter(
            x=rates,
            y=distortions,
            mode="lines",
            line={"width": 1, "dash": "dot"},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=rates,
            y=distortions,
            mode="markers+text",
            marker={"size": 11},
            text=names,
            textposition="top center",
            customdata=-rates - distortions,
            hovertemplate=f"{title} %{{text}}<br>rate %{{x:.1f}}, distortion %{{y:,.1f}}<br>"
            "ELBO %{customdata:,.1f}<extra></extra>",
        )
    )
    figure.update_layout(
        **FRAME,
        xaxis={"title": {"text": "rate: KL divergence, nats", "standoff": 8}, "zeroline": False},
        yaxis={
            "title": {"text": "distortion: −log p(x|z), nats", "standoff": 8},
            "zeroline": False,
            "tickformat": ",~g",
        },
    )
    return figure


# A ratio beyond e to this power gets the full colour.
FACTORS = 20.0


def manifold_overlay(
    figure: go.Figure, values: np.ndarray, face: Sequence[int], title: str, diverging: bool = False
) -> go.Figure:
    """Colour the faces of a :func:`manifold` by a figure that each has.

    Arguments:
        figure: The manifold; it is changed.
        values: One a face, (R, C).
        face: A face's height and width in pixels.
        title: What the figure is called.
        diverging: Whether it is a logarithm with a middle of zero: blue above, red below.
    """
    finite = np.where(np.isfinite(values), values, np.nan)
    low, high = np.nanpercentile(finite, [2, 98]) if np.isfinite(values).any() else (0.0, 1.0)
    if diverging:
        low, high = -FACTORS, FACTORS
    ends = ["rgba(206, 44, 56, 0.75)", "rgba(128, 128, 128, 0)", "rgba(48, 118, 200, 0.75)"]
    scale = ends if diverging else ["rgba(251, 146, 60, 0)", "rgba(234, 88, 12, 0.65)"]
    figure.add_trace(
        go.Heatmap(
            z=finite,
            x0=(face[1] - 1) / 2,
            dx=face[1],
            y0=(face[0] - 1) / 2,
            dy=face[0],
            zmin=low,
            zmax=high,
            zsmooth="best",
            colorscale=[[place / (len(scale) - 1), colour] for place, colour in enumerate(scale)],
            colorbar={"title": {"text": title, "side": "right"}, "thickness": 8, "len": 0.6},
            hoverinfo="skip",
        )
    )
    return figure


def manifold_points(
    figure: go.Figure, places: np.ndarray, face: Sequence[int], tint: Tint | None = None
) -> go.Figure:
    """Mark points on a :func:`manifold`.

    Arguments:
        figure: The manifold; it is changed.
        places: Row and column of each point, (n, 2), in faces.
        face: A face's height and width in pixels.
        tint: What colours them.
    """
    on_it = np.isfinite(places).all(axis=1)
    points = (places[:, ::-1] + 0.5) * np.array([face[1], face[0]]) - 0.5
    marker = {"size": 5, "line": {"width": 1, "color": "black"}}
    unknown = on_it if tint is None else on_it & (tint.codes < 0)
    figure.add_trace(
        go.Scattergl(
            x=points[unknown, 0],
            y=points[unknown, 1],
            mode="markers",
            marker={**marker, "color": "#fb923c" if tint is None else "#999999"},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    if tint is not None:
        drawn = tint._replace(codes=tint.codes[on_it], values=tint.values[on_it])
        _add_coloured(figure, points[on_it], drawn, marker | {"size": 6})
    return figure
