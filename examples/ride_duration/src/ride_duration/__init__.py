"""How long a green taxi ride takes: data, features, training and prediction in one place."""
