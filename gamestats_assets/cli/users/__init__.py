"""Commands about people: who may sign in, and the keys of what is encrypted."""
