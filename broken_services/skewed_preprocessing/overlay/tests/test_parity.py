"""The service answers. Run against a running one: SERVICE_URL=http://... python -m pytest tests"""

import os

import requests

SERVICE_URL = os.environ.get("SERVICE_URL", "http://127.0.0.1:8080")

FLIGHT = {
    "flight_id": "F1",
    "scheduled_departure": "2013-07-01T12:00:00Z",
    "carrier": "UA",
    "origin": "EWR",
    "dest": "ORD",
    "scheduled_arrival": 932,
    "distance": 719,
    "temp": 77.0,
    "dewp": 66.0,
    "humid": 69.0,
    "wind_dir": 180,
    "wind_speed": 9.2,
    "wind_gust": None,
    "precip": 0.0,
    "pressure": 1014.2,
    "visib": 10.0,
}


def test_service_predicts():
    answer = requests.post(
        f"{SERVICE_URL}/invocations", json={"dataframe_records": [FLIGHT]}, timeout=10
    )
    assert answer.status_code == 200
    assert 0 <= answer.json()["predictions"][0] <= 1
