"""Diagrams in cells: options, drawing, outputs, repairs. The modules of ``magics`` call them."""
