"""Where what stands in a Heidelberg `.vol` file (HSF-OCT-103): sizes, offsets and names. Reads and writes nothing.

File header, SLO image, then per B-scan a header with the device's boundaries and the reflectivities. Little endian.
The header also holds name, birth date and visit of the patient; no field of these is named here, so that no code can
read one by mistake: ``HEADER`` ends before them.
"""

import struct

import numpy as np

FILE_HEADER_BYTES = 2048

MAGICS = (b"HSF-", b"ep-v")
"""How the version begins: the device's own exports (HSF-OCT-103 and earlier), and files written by eyepy."""
MAGIC_BYTES = 12

HEADER = struct.Struct("<12s 3i 3d 2i 2d i d 4s 8x 2i")
"""Version, SizeX, NumBScans, SizeZ, ScaleX, Distance, ScaleZ (mm), SizeXSlo, SizeYSlo, ScaleXSlo, ScaleYSlo (mm),
FieldSizeSlo (degrees), ScanFocus (dioptres), ScanPosition (OD, OS), [the moment of the examination, skipped],
ScanPattern, BScanHdrSize."""

BSCAN_HEADER = struct.Struct("<12s i 4d 2i f i")
"""Version, BScanHdrSize, StartX, StartY, EndX, EndY (mm), NumSeg, OffSeg, Quality (dB), Shift."""
BSCAN_HEADER_BYTES = 256
"""The part before the boundaries; what follows BSCAN_HEADER in it is spare."""

INVALID = float(np.float32(np.finfo(np.float32).max))
"""What the device writes where it has no value: the largest float32."""
VALID_BELOW = 3.0e38
"""Values from here on are INVALID, however they were rounded on the way."""

PATTERN_UNKNOWN, PATTERN_LINE, PATTERN_CIRCLE, PATTERN_VOLUME, PATTERN_FAST_VOLUME, PATTERN_RADIAL = range(6)

BOUNDARIES = {
    0: "ILM", 1: "BM", 2: "RNFL", 3: "GCL", 4: "IPL", 5: "INL", 6: "OPL", 8: "ELM", 14: "PR1", 15: "PR2", 16: "RPE",
}  # fmt: skip
"""Which boundary stands at which index of SegArray; the others are not written by any known release."""
