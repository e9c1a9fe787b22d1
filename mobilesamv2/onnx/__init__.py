"""Models as ONNX files: written, described, and run by ONNX Runtime. Imports nothing heavy by itself."""
