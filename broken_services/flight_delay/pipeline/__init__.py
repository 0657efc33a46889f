"""From flights to a model in production: features, training, evaluation, gate, promotion."""
