"""Tests of whether a maximum exists, is unique and is regular, one in each file."""
