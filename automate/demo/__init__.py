"""The demonstration: a signed event goes in, a delivery comes out."""
