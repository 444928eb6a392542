"""Models that somebody else trained: ONNX files of strangers, opened as a model of our own."""
