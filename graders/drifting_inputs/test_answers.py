"""Does the service still answer, and answer what the model says?"""

from sandbox.grading import guard

REPLAYS = (
    "a_day_in_june",
    "a_day_in_july",
    "a_day_in_autumn",
    "frozen_weather",
    "no_weather",
    "a_grave_unit",
    "a_slight_unit",
    "a_new_category",
    "sensor_spikes",
    "crowded_traffic",
)
# Of a replay's rows. A single request that got lost has up to 100 of some 7,500; refusing what is
# odd concerns a fifth of a fault's rows or more.
RIGHT_MIN = 0.98


@guard(
    of=(
        "grave_faults_are_paged",
        "other_faults_are_alerted",
        "alerts_are_in_time",
        "alerts_are_usable",
        "inputs_are_exported",
        "missing_values_are_exported",
        "predictions_are_exported",
    ),
    competency="model telemetry",
)
def test_answers_are_the_models(evidence, credit):
    """Every flight is answered as the champion does, on bad days, too"""
    shares = {name: evidence[name]["right"] for name in REPLAYS}
    wrong = {name: share for name, share in shares.items() if share < RIGHT_MIN}
    credit.award(
        not wrong,
        expected=f"at least {RIGHT_MIN:.0%} of each replay's rows answered as the champion does",
        seen="; ".join(f"{share:.1%} in {name}" for name, share in wrong.items())
        or f"{min(shares.values()):.1%} or more in all {len(shares)}",
        where="*.right",
    )
