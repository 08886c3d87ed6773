"""HFSS and HFSS 3D Layout in batch, by `ansysedt`: its configuration, command line and verdict.

The fields and their names are those of the PyEDB job manager, whose configurations are taken as
they are.
"""
