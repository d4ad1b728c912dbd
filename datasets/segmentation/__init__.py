"""What the data sets for segmentation share; their samples are described in `samples`."""
