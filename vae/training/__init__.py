"""How a model learns: recipes, the loop, its optimisers, and the gradient."""
