"""DDD17: driving recordings of a DAVIS346 with labels, in the three forms in which people have them."""
