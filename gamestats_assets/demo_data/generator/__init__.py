"""The generator: users, their behaviour and states, and the records that result."""
