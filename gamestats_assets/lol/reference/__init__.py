"""What Data Dragon and our own lists know: items, champions, queues, and the patches they stand for."""
