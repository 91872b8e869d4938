"""Flavors: how the models of each library are written to a folder and read from it, one library a module."""
