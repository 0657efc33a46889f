def test_parity():
    assert "mended" == "not"
