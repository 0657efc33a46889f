from pipeline import features

COLUMNS = [*features.RAW_TEXT, *features.RAW_NUMBERS, *features.RAW_WEATHER]


def records(rows):
    return rows.astype(object).where(rows.notna(), None).to_dict("records")
