"""ThinkingData logs: checked, uploaded, landed and read. Nothing here knows how they were made."""
