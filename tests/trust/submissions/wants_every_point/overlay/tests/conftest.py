import picked_up

picked_up.note("tests/conftest")
