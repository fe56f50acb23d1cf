"""The analyst: rules read out of a taxonomy's names, types, texts and order, without a language model."""
