"""Does the image hold the environment of the lock, and does it run without rights?"""

from sandbox.grading import check
from sandbox.grading.environments import held_otherwise, is_there
from sandbox.grading.parity import ROWS_EQUAL_MIN, rows_equal

ROOT = 0


@check(points=4, competency="repeatable environments", runtimes=("docker",))
def test_image_holds_the_locked_environment(evidence, credit):
    """The image is built offline, on a base that stays, and holds what the lock installs"""
    image, environments = evidence["image"], evidence["environments"]
    first = environments["first"]
    wrong = []
    if image["problem"]:
        wrong.append(image["problem"])
    elif not is_there(first):
        wrong.append("there is no environment from a lock to compare with")
    else:
        wrong += held_otherwise(image["folders"], first, environments["ours"])
        wrong += [f"{name} moves" for name in image["moving"]]
        if not wrong:
            wrong += serves_otherwise(image, evidence["parity"])
    credit.award(
        not wrong,
        expected="a build without a network, the lock's packages, and no tag that moves",
        seen="; ".join(wrong[:4]) or f"built on {', '.join(image['names'])}, with all of it",
        where="image",
    )


@check(points=4, competency="supply chain", runtimes=("docker",))
def test_image_runs_without_rights(evidence, credit):
    """The image runs as another user than root, without a network, and answers /ping"""
    image = evidence["image"]
    alone = image["alone"]
    wrong = [image["problem"] or alone["problem"]]
    if ROOT in alone["users"]:
        wrong.append("it runs as root")
    elif image["beside"]["served"] is None:
        wrong.append(f"beside a registry: {image['beside']['problem']}")
    wrong = [each for each in wrong if each]
    credit.award(
        not wrong,
        expected="a user other than root, and 200 at /ping without a network",
        seen="; ".join(wrong) or f"200, as user {', '.join(map(str, alone['users']))}",
        where="image.alone",
    )


def serves_otherwise(image, parity):
    """Whether what the image answers is not what the service answers, in words."""
    served = image["beside"]["served"]
    if served is None:
        return [f"beside a registry: {image['beside']['problem']}"]
    wanted = parity["served"][: len(served)]
    pairs = [(there, here) for there, here in zip(served, wanted, strict=True) if here is not None]
    equal = float(rows_equal([pair[0] for pair in pairs], [pair[1] for pair in pairs]).mean())
    return [] if equal >= ROWS_EQUAL_MIN else [f"it answers {equal:.1%} as the service does"]
