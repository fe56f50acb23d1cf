"""Event taxonomies: what a product says that it sends, as it is written and as it is read."""
