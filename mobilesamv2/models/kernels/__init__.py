"""Code that only makes things fast: fused linear layers, tiling, a cache of derived tensors, prompts in parallel."""
