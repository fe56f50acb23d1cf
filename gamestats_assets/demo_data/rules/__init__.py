"""Rules of behaviour and values: their model and its soundness, and language models that make them."""
