"""ThinkingData logs: checked, uploaded, landed and read. Nothing here knows how the logs were made."""
