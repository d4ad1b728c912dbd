"""Event file formats: one file each, in a folder for each family; `spikelab.registry` names them."""
