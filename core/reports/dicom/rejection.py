"""A rejected scan as a DICOM Key Object Selection: title "Rejected for Quality Reasons", its reason by CID 7011."""

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import CodeContentItem, RelationshipTypeValues

from core.reports.dicom.codes import REJECTED, TITLE_MODIFIER, rejection_reason
from core.reports.dicom.subject import MANUFACTURER, DicomSubject, complete, device_observer, source_dataset
from core.vocabulary import ReasonCode

SERIES_NUMBER = 9103


def make_rejection(subject: DicomSubject, reason: ReasonCode | None, words: str) -> KeyObjectSelectionDocument:
    """The key object; ``words`` are the reason as people read it."""
    source = source_dataset(subject)
    content = KeyObjectSelection(
        document_title=REJECTED,
        referenced_objects=[source],
        observer_device_context=device_observer(subject),
        description=words or None,
    )
    modifier = CodeContentItem(
        name=TITLE_MODIFIER, value=rejection_reason(reason), relationship_type=RelationshipTypeValues.HAS_CONCEPT_MOD
    )
    content[0].ContentSequence.insert(0, modifier)
    document = KeyObjectSelectionDocument(
        evidence=[source],
        content=content,
        series_instance_uid=subject.uid("rejection series"),
        series_number=SERIES_NUMBER,
        sop_instance_uid=subject.uid("rejection"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        series_description="octaudit rejection",
    )
    complete(document, subject)
    return document
