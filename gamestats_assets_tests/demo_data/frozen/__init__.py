"""Products that the analyst has not been made on: their sheets, and what a careful person says of each."""
