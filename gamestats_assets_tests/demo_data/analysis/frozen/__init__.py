"""Products that the analyst was not made on: sheets, and what a careful person says of each. They stay as they are."""
