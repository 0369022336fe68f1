"""Training: corpus, features, objectives, the loop, export. Every stage is a folder of one run."""
