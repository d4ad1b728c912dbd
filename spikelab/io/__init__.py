"""Files and other frameworks: checkpoints, NIR graphs, snnTorch and Norse; the first difference between two runs."""
