"""The landing zone: how raw files arrive, are kept, and are decoded."""
