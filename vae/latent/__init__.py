"""The latent space as arrays: NumPy in and NumPy out, for pages that know no torch."""

__all__ = [
    "Posterior",
    "Reconstructions",
    "active_units",
    "decode",
    "decoder_layers",
    "draw",
    "encode",
    "evaluate",
    "faces_a_side",
    "kl_per_latent",
    "log_prior",
    "manifold_axis",
    "manifold_grid",
    "match_prior",
    "nearest",
    "reconstruct",
]

from vae.latent.arrays import (
    Posterior,
    Reconstructions,
    active_units,
    decode,
    decoder_layers,
    draw,
    encode,
    evaluate,
    faces_a_side,
    kl_per_latent,
    log_prior,
    manifold_axis,
    manifold_grid,
    match_prior,
    nearest,
    reconstruct,
)
