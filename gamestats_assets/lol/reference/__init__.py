"""Facts from Data Dragon and from the project's own lists: items, champions, queues, and patches."""
