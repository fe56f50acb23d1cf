"""Pages: templates, texts, charts, the files that browsers load, the home page, and the API's description."""
