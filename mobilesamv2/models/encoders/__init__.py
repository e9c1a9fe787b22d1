"""Image encoders: TinyViT, EfficientViT and ViT."""
