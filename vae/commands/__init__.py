"""The commands of ``python -m vae``, by what they are about."""
