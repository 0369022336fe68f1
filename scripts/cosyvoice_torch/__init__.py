"""CosyVoice2 in plain PyTorch: the oracle beside the engine. Written from the papers and the file formats, for checking, not for speed."""
