"""A run's folder: who writes it, who reads it, and whose turn it is to train."""

__all__ = ["Run", "Status", "all_runs", "create", "damaged", "find", "folder", "restore"]

from vae.runs.collection import all_runs, create, damaged, find, restore
from vae.runs.run import Run, folder
from vae.runs.status import Status
