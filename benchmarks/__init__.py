"""What the README's figures are made with: each module is a command, run with python -m."""
