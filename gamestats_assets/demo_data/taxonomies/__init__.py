"""Event taxonomies: a product's declared events and properties, as written and as read."""
