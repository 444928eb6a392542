"""What the README's figures are made with: each module is a command (python -m benchmarks.drag)."""
