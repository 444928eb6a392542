"""The model, its objective, and the files it is kept in."""
