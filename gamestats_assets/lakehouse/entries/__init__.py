"""The schema `ops`: entered data, and data shared by processes."""
