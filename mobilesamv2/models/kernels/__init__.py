"""What is here for speed alone: fused linear layers, tiling, a cache of derived tensors, prompts in parallel."""
