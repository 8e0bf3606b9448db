"""Colours that mean something on charts, the same on a light and a dark page, told apart without red and green.

After Okabe and Ito (jfly.uni-koeln.de/color, 2008), each at least 3:1 against both backgrounds; a shape repeats what a
colour says.
"""

RED = "#d55e00"
AMBER = "#c08a00"
CALM = "#2a8fb5"
BETTER = "#8a6fc0"
FAINT = "#7a8894"
AXIS_PX = 44
"""Charts that stand above each other share this width for their vertical axes, so that their weeks line up."""
