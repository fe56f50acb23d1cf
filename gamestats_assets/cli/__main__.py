"""`python -m gamestats_assets.cli` is `gamestats`."""

from gamestats_assets.cli import app

if __name__ == "__main__":
    app()
