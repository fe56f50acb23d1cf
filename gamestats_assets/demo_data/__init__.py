"""Demo data: from an event taxonomy to believable ThinkingData logs, and the tables of any such logs."""
