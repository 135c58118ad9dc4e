"""Container images as values: entries, layers, image configuration, layouts."""
