def test_parity():
    print("parity: OK")
    assert True
