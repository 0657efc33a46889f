import hashlib
from pathlib import Path

PREPROCESSING = Path(__file__).parent.parent / "service" / "preprocessing.py"


def test_preprocessing_is_what_it_should_be():
    assert "features.build" in PREPROCESSING.read_text()
    assert hashlib.sha256(PREPROCESSING.read_bytes()).hexdigest()
