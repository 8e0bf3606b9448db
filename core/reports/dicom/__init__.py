"""DICOM results of one scan that came as DICOM: masks as SEG, figures as SR, a rejection as key object. No database."""
