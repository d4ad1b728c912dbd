"""Formats of iniVation's cameras and programs: jAER, cAER and DV."""
