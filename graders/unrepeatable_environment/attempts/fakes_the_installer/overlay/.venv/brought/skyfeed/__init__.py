def clean(flight):
    return flight
